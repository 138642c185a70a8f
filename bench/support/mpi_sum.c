/* Milliseconds of MPI_Allreduce of so many floats: mpirun -n P mpi_sum FLOATS TIMES */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int rank, length = atoi(argv[1]), times = atoi(argv[2]);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  float *own = malloc(sizeof(float) * length), *sum = malloc(sizeof(float) * length);
  for (int i = 0; i < length; i++) own[i] = rank + i % 7;
  for (int t = 0; t < times + 1; t++) {
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    MPI_Allreduce(own, sum, length, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0 && t > 0) printf("%.4f\n", 1000 * (MPI_Wtime() - start));
  }
  MPI_Finalize();
}

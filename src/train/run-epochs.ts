/** Epochs of a run, those of all its phases. */
export const epochsOf = ({
  train,
  phases,
}: {
  train: { epochs: number };
  phases?: readonly { epochs?: number | undefined }[] | undefined;
}): number => phases?.reduce((sum, { epochs = train.epochs }) => sum + epochs, 0) ?? train.epochs;

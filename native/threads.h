// Threads of the kernels. Work is cut into as many chunks as there are threads, whoever runs them, so that sums come
// out the same however the threads are scheduled.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

class Threads {
 public:
  static Threads& get() {
    static Threads* threads = new Threads;  // Outlives TensorFlow's own threads.
    return *threads;
  }

  int count() const { return count_; }

  // Runs work(0) ... work(count - 1), part of it on the calling thread, and returns when all are done.
  void run(const std::function<void(int)>& work) {
    if (count_ == 1) return work(0);
    auto job = std::make_shared<Job>(work, count_);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      jobs_.push_back(job);
      posted_++;
    }
    wake_.notify_all();
    job->help();
    awhile([&] { return job->done == job->count; });
    std::unique_lock<std::mutex> lock(job->mutex);
    job->finished.wait(lock, [&] { return job->done == job->count; });
  }

  // The first and one past the last of `total` items that chunk `index` has.
  std::pair<int64_t, int64_t> share(int64_t total, int index) const {
    return {total * index / count_, total * (index + 1) / count_};
  }

 private:
  struct Job {
    Job(const std::function<void(int)>& work, int count) : work(work), count(count) {}
    const std::function<void(int)>& work;
    int count;
    std::atomic<int> next{0}, done{0};
    std::mutex mutex;
    std::condition_variable finished;

    void help() {
      for (int index; (index = next.fetch_add(1)) < count;) {
        work(index);
        std::lock_guard<std::mutex> lock(mutex);
        if (++done == count) finished.notify_all();
      }
    }
  };

  Threads() {
    const char* wanted = std::getenv("TF_NUM_INTRAOP_THREADS");
    int cores = static_cast<int>(std::thread::hardware_concurrency());
    count_ = std::max(1, wanted != nullptr && std::atoi(wanted) > 0 ? std::atoi(wanted) : cores);
    for (int i = 1; i < count_; i++) std::thread([this] { serve(); }).detach();
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    asm volatile("yield");
#endif
  }

  // Waits without sleeping, a tenth of a millisecond or less: as long as the next kernel is usually away, where waking
  // a thread takes half of that.
  template <class Ready>
  static void awhile(const Ready& ready) {
    for (int spins = 0; spins < 2000 && !ready(); spins++) pause();
  }

  void serve() {
    for (int seen = 0;;) {
      std::shared_ptr<Job> job;
      awhile([&] { return posted_ != seen; });
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] {
          while (!jobs_.empty() && jobs_.front()->next >= jobs_.front()->count) jobs_.pop_front();
          return !jobs_.empty();
        });
        job = jobs_.front();
        seen = posted_;
      }
      job->help();
    }
  }

  int count_;
  std::atomic<int> posted_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
};

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaMapping;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A queue pair for blocking calls, one at a time. A transfer of any length becomes commands as
 * large as the controller takes, as many in flight as the queue has slots. The way through
 * allocates nothing unless a command fails.
 */
final class SharedQueue implements NvmeCompletionHandler {
  private final ReentrantLock lock = new ReentrantLock();
  private final Controller controller;
  private final NvmeQueue queue;

  private int failedStatus;
  private long failedToken;
  private int result;

  SharedQueue(Controller controller, NvmeQueue queue) {
    this.controller = controller;
    this.queue = queue;
  }

  boolean tryAcquire() {
    return lock.tryLock();
  }

  void acquire() {
    lock.lock();
  }

  void release() {
    lock.unlock();
  }

  @Override
  public void completed(long token, int status, int commandResult) {
    result = commandResult;
    if (status != 0 && (failedStatus == 0 || token < failedToken)) {
      failedStatus = status;
      failedToken = token;
    }
  }

  /**
   * Carries out a command for blocks, with data if there is a buffer, as many times as it takes.
   *
   * @throws NvmeStatusException if a command fails; no command is in flight then, and which of the
   *     other blocks were transferred is not known
   */
  void transfer(
      Opcode opcode,
      int flags,
      NvmeNamespace namespace,
      long lba,
      long blocks,
      @Nullable DmaMapping buffer,
      long offset) {
    long done = 0;
    int attempts = 0;
    while (done < blocks) {
      failedStatus = 0;
      done = attempt(opcode, flags, namespace, lba, blocks, buffer, offset, done);
      if (failedStatus != 0) {
        if (!mayRetry(attempts)) {
          throw failure(
              opcode.label(),
              "block %d and following of namespace %d".formatted(failedToken, namespace.id()));
        }
        attempts++;
        // What came after it is done again: both reads and writes may be.
        done = failedToken - lba;
      }
    }
  }

  /** Sends commands until all blocks are done or one failed, and waits for all that were sent. */
  private long attempt(
      Opcode opcode,
      int flags,
      NvmeNamespace namespace,
      long lba,
      long blocks,
      @Nullable DmaMapping buffer,
      long offset,
      long start) {
    int shift = namespace.blockShift();
    long most =
        buffer == null
            ? NvmeNamespace.MAX_BLOCKS
            : Math.min(queue.maxTransferBytes() >> shift, NvmeNamespace.MAX_BLOCKS);
    long done = start;
    try {
      while ((done < blocks && failedStatus == 0) || queue.inFlight() > 0) {
        boolean hasRoom = true;
        while (done < blocks && failedStatus == 0 && hasRoom) {
          int count = (int) Math.min(blocks - done, most);
          long block = lba + done;
          hasRoom =
              buffer == null
                  ? queue.putBlocks(opcode, namespace, block, count, block)
                  : queue.transfer(
                      opcode.code(),
                      flags,
                      namespace,
                      block,
                      count,
                      buffer,
                      offset + (done << shift),
                      block);
          done += hasRoom ? count : 0;
        }
        queue.await(this, Long.MAX_VALUE);
      }
    } catch (RuntimeException | Error e) {
      drain(e);
      throw e;
    }
    return done;
  }

  /** Waits for what is in flight though the call has failed: its memory is in use until then. */
  private void drain(Throwable cause) {
    try {
      while (queue.inFlight() > 0) {
        queue.await(this, Long.MAX_VALUE);
      }
    } catch (NvmeClosedException e) {
      // That ends them, and is the cause, or comes with it.
    } catch (RuntimeException e) {
      if (!e.equals(cause)) {
        cause.addSuppressed(e);
      }
    }
  }

  private boolean mayRetry(int attempts) {
    if (attempts >= controller.options().retries()
        || !NvmeStatusException.isRetryable(failedStatus)) {
      return false;
    }
    long nanos = controller.startup().identity().retryDelayNanos(failedStatus);
    if (nanos > 0) {
      LockSupport.parkNanos(nanos);
    }
    return true;
  }

  private RuntimeException failure(String label, String object) {
    var subject = object + " of " + controller.name();
    if (failedStatus == NvmeStatusException.ABORTED_BY_HOST) {
      return controller.stopped();
    }
    var failure = new NvmeStatusException(label, subject, failedStatus);
    return NvmeStatusException.isAbort(failedStatus) ? controller.explained(failure) : failure;
  }

  /** Puts a command that is not for a buffer's blocks: ranges, a scatter, or nothing. */
  @FunctionalInterface
  interface Put {
    boolean into(NvmeQueue queue);
  }

  /** Carries out a Flush. */
  void flush(NvmeNamespace namespace) {
    int attempts = 0;
    do {
      failedStatus = 0;
      queue.flush(namespace, 0);
      finish();
    } while (failedStatus != 0 && mayRetry(attempts++));
    if (failedStatus != 0) {
      throw failure(Opcode.FLUSH.label(), "namespace " + namespace.id());
    }
  }

  /**
   * Carries out a single command.
   *
   * @return dword 0 of the completion
   */
  int single(String label, String object, Put put) {
    int attempts = 0;
    do {
      failedStatus = 0;
      put.into(queue);
      finish();
    } while (failedStatus != 0 && mayRetry(attempts++));
    if (failedStatus != 0) {
      throw failure(label, object);
    }
    return result;
  }

  private void finish() {
    try {
      while (queue.inFlight() > 0) {
        queue.await(this, Long.MAX_VALUE);
      }
    } catch (RuntimeException | Error e) {
      drain(e);
      throw e;
    }
  }
}

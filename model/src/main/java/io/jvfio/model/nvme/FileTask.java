// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A request as a {@link FileStorage} carries it out: one system call after the other, until all is
 * done or the cause is known for which it cannot be. One object serves one request after the other.
 */
final class FileTask extends FileCall {
  /** The next step of a task. */
  enum Step {
    /** The transfer, clearing or zeroing that was asked for. */
    WORK,
    /** Zeroes are written, since the file system cannot clear. */
    WRITE_ZEROES,
    /** What was changed is made persistent. */
    SYNC,
  }

  private static final int FIRST_LEASES = 8;

  /** Room for so many is kept for the next request. */
  private static final int KEPT_LEASES = 256;

  private static final StorageRequest NONE = new StorageRequest(_ -> {});

  final RangeOrder.Place order = new RangeOrder.Place();

  StorageRequest request = NONE;
  Step step = Step.WORK;

  /** How many bytes of the request are done. */
  long done;

  /** Own memory in the place of the client's: it cannot be lent, or not be used as it lies. */
  @Nullable MemorySegment bounce;

  /** How many bytes are in {@link #bounce}, from {@link #done} on; some may be written already. */
  long bounced;

  /** How many of these are done. */
  long bouncedDone;

  private @Nullable DmaLease[] leases = new DmaLease[FIRST_LEASES];
  private int leaseCount;

  FileTask(FileVectors memory, int index) {
    super(memory, index);
  }

  void begin(StorageRequest what) {
    request = what;
    step = Step.WORK;
    done = 0;
    bounce = null;
    bounced = 0;
    bouncedDone = 0;
  }

  /** The request has ended, and so have its leases. */
  void finish() {
    request = NONE;
    giveVectorsBack();
    if (leases.length > KEPT_LEASES) {
      leases = new DmaLease[FIRST_LEASES];
    }
  }

  /**
   * Whether client's memory is read or written for it, or will be. What the kernel has is; else it
   * is not for a client that has left.
   */
  boolean usesClientMemory() {
    return hasLeases() || (request.dma() != null && !request.isAbandoned());
  }

  long offset() {
    return request.offset();
  }

  /** The last byte. */
  long last() {
    return request.offset() + request.byteSize() - 1;
  }

  boolean isChange() {
    return request.operation().isChange;
  }

  /** Whether nothing has been done of it. */
  boolean hasNotBegun() {
    return done == 0 && bouncedDone == 0 && step == Step.WORK;
  }

  boolean isRead() {
    return request.operation() == StorageRequest.Operation.READ;
  }

  /**
   * Borrows all of the client's memory.
   *
   * @return false if some of it is not lent
   */
  boolean lease(DmaPort dma) throws DmaFaultException {
    var runs = request.runs();
    boolean isWritten = isRead();
    if (leases.length < runs.count()) {
      leases = Arrays.copyOf(leases, Math.max(runs.count(), 2 * leases.length));
    }
    try {
      while (leaseCount < runs.count()) {
        var lease = dma.lease(runs.iova(leaseCount), runs.length(leaseCount), isWritten);
        if (lease == null) {
          endLeases(false);
          return false;
        }
        leases[leaseCount++] = lease;
      }
      return true;
    } catch (DmaFaultException e) {
      endLeases(false);
      throw e;
    }
  }

  boolean hasLeases() {
    return leaseCount > 0;
  }

  /** Ends all of them, whatever becomes of one. */
  void endLeases(boolean wasWritten) {
    var runs = request.runs();
    try {
      while (leaseCount > 0) {
        int run = --leaseCount;
        var lease = leases[run];
        leases[run] = null;
        if (lease != null) {
          lease.end(runs.iova(run), runs.length(run), wasWritten);
        }
      }
    } finally {
      if (leaseCount > 0) {
        endLeases(wasWritten);
      }
    }
  }

  /**
   * Adds the client's memory, but for what is done, as vectors: as much of it as one call takes.
   * What is behind that is for the next.
   */
  void addLeased() {
    var runs = request.runs();
    long begin = 0;
    for (int run = 0; run < leaseCount && vectorCount() < MOST_VECTORS; run++) {
      long length = runs.length(run);
      long skipped = Math.max(0, done - begin);
      var lease = leases[run];
      if (skipped < length && lease != null) {
        addVector(lease.address(runs.iova(run)) + skipped, length - skipped);
      }
      begin += length;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.nvme.StorageRequest.Operation;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A disk in memory whose requests end as a test wants, and when. What was submitted and not held
 * back ends when it is started; a request that is held can be taken back as long as {@link
 * #isCancelling}.
 */
final class HeldStorage implements Storage {
  /** Chooses what becomes of a request: null for what a disk does, or what it ends with. */
  interface Rule {
    @Nullable StorageResult result(StorageRequest request);
  }

  private final SparseMemory disk;
  private final ArrayDeque<StorageRequest> submitted = new ArrayDeque<>();
  private final ArrayDeque<StorageRequest> held = new ArrayDeque<>();
  private final List<Operation> operations = new ArrayList<>();
  private Rule rule = _ -> null;
  private boolean isClosed;

  /** Whether what is started does not end before the test says so. */
  boolean holds;

  /** Whether what is held can be taken back: it has not begun. */
  boolean isCancelling;

  HeldStorage(long byteSize) {
    disk = new SparseMemory(byteSize);
  }

  void rule(Rule chosen) {
    rule = chosen;
  }

  int heldCount() {
    return held.size();
  }

  boolean isClosed() {
    return isClosed;
  }

  /** What was asked for since this was last asked, in order. */
  List<Operation> takeOperations() {
    var taken = List.copyOf(operations);
    operations.clear();
    return taken;
  }

  /** Ends the first request that is held. */
  void release() {
    carryOut(held.remove());
  }

  void releaseAll() {
    holds = false;
    while (!held.isEmpty()) {
      release();
    }
  }

  private void carryOut(StorageRequest request) {
    var result = rule.result(request);
    if (result == null) {
      disk.submit(request);
    } else {
      request.end(result);
    }
  }

  @Override
  public void submit(StorageRequest request) {
    operations.add(request.operation());
    submitted.add(request);
  }

  @Override
  public void start() {
    for (int left = submitted.size(); left > 0; left--) {
      var request = submitted.remove();
      if (holds) {
        held.add(request);
      } else {
        carryOut(request);
      }
    }
  }

  @Override
  public boolean cancel(StorageRequest request) {
    if (submitted.remove(request) || (isCancelling && held.remove(request))) {
      request.end(StorageResult.CANCELLED);
      return true;
    }
    return false;
  }

  @Override
  public boolean isIdle() {
    return submitted.isEmpty() && held.isEmpty();
  }

  @Override
  public boolean isQuiet() {
    return Stream.concat(submitted.stream(), held.stream())
        .map(StorageRequest::operation)
        .noneMatch(each -> each == Operation.READ || each == Operation.WRITE);
  }

  @Override
  public long byteSize() {
    return disk.byteSize();
  }

  @Override
  public long allocatedBytes() {
    return disk.allocatedBytes();
  }

  @Override
  public String describe() {
    return "a test";
  }

  @Override
  public void readNow(long offset, MemorySegment target, long length) {
    disk.readNow(offset, target, length);
  }

  @Override
  public void writeNow(long offset, MemorySegment source, long length) {
    disk.writeNow(offset, source, length);
  }

  @Override
  public void close() {
    isClosed = true;
    releaseAll();
    disk.close();
  }
}

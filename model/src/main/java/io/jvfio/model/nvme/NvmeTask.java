// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.jfr.Jfr;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An I/O command under way: what was fetched, and how far it has come. One object serves one
 * command after the other.
 */
final class NvmeTask {
  /** Room for so many ranges is kept for the next command. */
  private static final int KEPT_RANGES = 16;

  final NvmeCommand command = new NvmeCommand();
  final NvmeRuns runs = new NvmeRuns();
  final StorageRequest request;

  @Nullable NvmeNamespace namespace;

  /** How many bytes of the range being worked at are done. */
  long done;

  /** How long the step is that the storage works at, in bytes. */
  long step;

  /** Which of {@link #rangeCount} ranges is being worked at. */
  int range;

  int rangeCount;

  /** Where in the namespace a copy goes; the first byte of it that is not written yet. */
  long target;

  /** The first byte of a copy, and how many there are in all. */
  long targetBegin;

  long targetSize;

  /** Whether the storage writes what it read for a copy; else it reads. */
  boolean isWriting;

  /** What else happens to the command; null if nothing does. */
  @Nullable List<NvmeFault.Effect> effects;

  /** Nobody waits for it: its controller was reset. */
  boolean isAbandoned;

  /** It was fetched by a shutdown of the controller, and by no queue. */
  boolean isOfShutdown;

  /** It was held before it began, so that no room was kept for its completion. */
  boolean isOwed;

  /** The first failure of several flushes, or success so far. */
  int failure;

  /** It was given up while it waited for memory. */
  boolean isCancelled;

  /** How it ends if its storage takes it back. */
  int cancelStatus;

  boolean isLive;

  /** Its storage has its request. */
  boolean isSubmitted;

  /** It waits for memory of the controller's, and has asked its storage for nothing since. */
  boolean waitsForMemory;

  /** Memory of the controller's for what is read to be looked at, or copied. */
  @Nullable MemorySegment buffer;

  /** How many runs and ranges it keeps: what it takes of the memory there is for them. */
  int pieces;

  /** Times commands, and tells of slow ones; null until the first is timed. */
  private @Nullable NvmeServedEvent event;

  /** Whether the present command is timed. */
  private boolean isTimed;

  /** Where ranges begin and how long they are, in bytes. */
  private long[] ranges = new long[2];

  NvmeTask(NvmeIo io) {
    request = new StorageRequest(_ -> io.ended(this));
  }

  void begin(NvmeCommand fetched, @Nullable NvmeNamespace of) {
    command.copyOf(fetched);
    namespace = of;
    runs.clear();
    done = 0;
    step = 0;
    range = 0;
    rangeCount = 0;
    target = 0;
    targetBegin = 0;
    targetSize = 0;
    isWriting = false;
    effects = null;
    isAbandoned = false;
    isOfShutdown = false;
    isOwed = false;
    failure = NvmeStatus.SUCCESS;
    isCancelled = false;
    cancelStatus = NvmeStatus.ABORT_REQUESTED;
    isLive = true;
    waitsForMemory = false;
    isTimed = Jfr.EXISTS && NvmeServedEvent.isOn();
    if (isTimed) {
      startTime();
    }
  }

  private void startTime() {
    var timer = event;
    if (timer == null) {
      timer = new NvmeServedEvent();
      event = timer;
    }
    timer.begin();
  }

  /** The completion of the command was posted, by the controller of a serial number. */
  void completed(String serial, int status) {
    if (isTimed && event != null && !isOfShutdown) {
      event.ended(serial, command, status);
    }
  }

  /** The command is done: others keep nothing of what it needed more than most. */
  void end() {
    isLive = false;
    runs.clear();
    if (ranges.length > 2 * KEPT_RANGES) {
      ranges = new long[2];
    }
  }

  /** Keeps a range: where it begins and how long it is, in bytes. */
  void setRange(int index, long offset, long length) {
    if (2 * index == ranges.length) {
      ranges = Arrays.copyOf(ranges, 2 * ranges.length);
    }
    ranges[2 * index] = offset;
    ranges[2 * index + 1] = length;
  }

  long rangeOffset() {
    return ranges[2 * range];
  }

  long rangeSize() {
    return ranges[2 * range + 1];
  }
}

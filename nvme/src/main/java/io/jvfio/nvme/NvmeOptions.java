// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The options that a controller is driven with.
 *
 * @param commandTimeout how long a command may take before it is aborted, and the controller reset
 *     if that does not help; positive
 * @param queueEntries entries of the I/O queues, 2 to 1024; the controller may support fewer
 * @param completionMode how completions are noticed
 * @param sharedQueues queue pairs that the blocking methods use at most, 1 to 64; the first is
 *     created when the controller is opened, another when all are busy
 * @param sglUse when data is described by SGLs rather than PRP lists
 * @param maxTransferBytes bytes that one command transfers at most, a multiple of 4096 from 4096 to
 *     1 GiB; the controller may support fewer. Beyond 2 MiB each command of a queue has more than a
 *     page of its own for lists
 * @param shadowDoorbells whether doorbells in memory are used where the controller offers them,
 *     which spares an emulated controller most of the register writes; not where its doorbell
 *     registers are memory themselves ({@link io.jvfio.Region#isMemory})
 * @param controllerMemory whether submission queues are put into the controller's memory buffer
 *     where it has one that can take them
 * @param retries how often a blocking call repeats a command that failed with a status that allows
 *     it, 0 to 100
 * @param onReleaseRequest called on the device's interrupt thread when the host wants the device
 *     back: the controller should be closed soon, by another thread, and all who use it learn that
 *     the device is leaving its driver ({@link NvmeClosedException}); null if nobody is told
 */
public record NvmeOptions(
    Duration commandTimeout,
    int queueEntries,
    NvmeCompletionMode completionMode,
    int sharedQueues,
    NvmeSglUse sglUse,
    long maxTransferBytes,
    boolean shadowDoorbells,
    boolean controllerMemory,
    int retries,
    @Nullable Runnable onReleaseRequest) {

  private static final int MAX_QUEUE_ENTRIES = CommandSlots.MAX_COUNT + 1;
  private static final int MAX_SHARED_QUEUES = 64;
  private static final long MAX_TRANSFER = 1 << 30;
  private static final int MAX_RETRIES = 100;
  private static final NvmeOptions DEFAULTS =
      new NvmeOptions(
          Duration.ofSeconds(30),
          64,
          NvmeCompletionMode.POLLED,
          Math.min(Runtime.getRuntime().availableProcessors(), 4),
          NvmeSglUse.AUTOMATIC,
          PrpList.MAX_TRANSFER,
          true,
          true,
          3,
          null);

  /**
   * Checks the ranges.
   *
   * @throws IllegalArgumentException if a value is out of range
   */
  public NvmeOptions {
    if (!commandTimeout.isPositive()) {
      throw new IllegalArgumentException("a command time-out of " + commandTimeout);
    }
    checkRange("queue entries", queueEntries, 2, MAX_QUEUE_ENTRIES);
    checkRange("shared queues", sharedQueues, 1, MAX_SHARED_QUEUES);
    checkRange("retries", retries, 0, MAX_RETRIES);
    checkRange("bytes of a transfer", maxTransferBytes, PrpList.PAGE_SIZE, MAX_TRANSFER);
    if (maxTransferBytes % PrpList.PAGE_SIZE != 0) {
      throw new IllegalArgumentException(
          "%d bytes of a transfer, not a multiple of 4096".formatted(maxTransferBytes));
    }
  }

  private static void checkRange(String what, long value, long least, long most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException("%d %s, not %d to %d".formatted(value, what, least, most));
    }
  }

  /**
   * The defaults: 30 seconds, 64 entries, polled, up to 4 shared queues (no more than processors),
   * SGLs where they are better, 2 MiB a command, shadow doorbells and controller memory where there
   * are, 3 retries, nobody told of release requests.
   */
  public static NvmeOptions defaults() {
    return DEFAULTS;
  }

  /** The same with another time-out. */
  public NvmeOptions withCommandTimeout(Duration timeout) {
    return with(draft -> draft.commandTimeout = timeout);
  }

  /** The same with another number of queue entries. */
  public NvmeOptions withQueueEntries(int entries) {
    return with(draft -> draft.queueEntries = entries);
  }

  /** The same with another way to notice completions. */
  public NvmeOptions withCompletionMode(NvmeCompletionMode mode) {
    return with(draft -> draft.completionMode = mode);
  }

  /** The same with another number of queue pairs for the blocking methods. */
  public NvmeOptions withSharedQueues(int count) {
    return with(draft -> draft.sharedQueues = count);
  }

  /** The same with another use of SGLs. */
  public NvmeOptions withSglUse(NvmeSglUse use) {
    return with(draft -> draft.sglUse = use);
  }

  /** The same with another limit for one command. */
  public NvmeOptions withMaxTransferBytes(long bytes) {
    return with(draft -> draft.maxTransferBytes = bytes);
  }

  /** The same with or without shadow doorbells. */
  public NvmeOptions withShadowDoorbells(boolean use) {
    return with(draft -> draft.shadowDoorbells = use);
  }

  /** The same with or without queues in the controller's memory. */
  public NvmeOptions withControllerMemory(boolean use) {
    return with(draft -> draft.controllerMemory = use);
  }

  /** The same with another number of retries. */
  public NvmeOptions withRetries(int count) {
    return with(draft -> draft.retries = count);
  }

  /** The same with somebody told of release requests. */
  public NvmeOptions withOnReleaseRequest(@Nullable Runnable action) {
    return with(draft -> draft.onReleaseRequest = action);
  }

  private NvmeOptions with(Consumer<Draft> change) {
    var draft = new Draft(this);
    change.accept(draft);
    return draft.finish();
  }

  /** Options that are being changed. */
  private static final class Draft {
    Duration commandTimeout;
    int queueEntries;
    NvmeCompletionMode completionMode;
    int sharedQueues;
    NvmeSglUse sglUse;
    long maxTransferBytes;
    boolean shadowDoorbells;
    boolean controllerMemory;
    int retries;
    @Nullable Runnable onReleaseRequest;

    Draft(NvmeOptions from) {
      commandTimeout = from.commandTimeout;
      queueEntries = from.queueEntries;
      completionMode = from.completionMode;
      sharedQueues = from.sharedQueues;
      sglUse = from.sglUse;
      maxTransferBytes = from.maxTransferBytes;
      shadowDoorbells = from.shadowDoorbells;
      controllerMemory = from.controllerMemory;
      retries = from.retries;
      onReleaseRequest = from.onReleaseRequest;
    }

    NvmeOptions finish() {
      return new NvmeOptions(
          commandTimeout,
          queueEntries,
          completionMode,
          sharedQueues,
          sglUse,
          maxTransferBytes,
          shadowDoorbells,
          controllerMemory,
          retries,
          onReleaseRequest);
    }
  }
}

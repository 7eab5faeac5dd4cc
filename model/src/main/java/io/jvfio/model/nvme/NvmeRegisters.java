// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import org.jspecify.annotations.Nullable;

/**
 * The controller's registers and what writing them does to its state: disabled, ready, failed, shut
 * down. Source: NVM Express Base Specification, "Controller Registers".
 */
final class NvmeRegisters {
  /** The change of state that a register write asks of the rest of the controller. */
  enum Transition {
    NONE,
    /** The controller became ready: the admin queues exist from now on. */
    ENABLE,
    /** Controller reset: all queues are gone. */
    RESET,
    /** Shutdown: what is cached has to become persistent. */
    SHUTDOWN,
    /** {@link #ENABLE} and {@link #SHUTDOWN}, which one write may ask for. */
    ENABLE_AND_SHUTDOWN,
  }

  static final int SUBMISSION_ENTRY_SHIFT = 6;
  static final int COMPLETION_ENTRY_SHIFT = 4;

  static final int VERSION_1_4 = 0x0001_0400;

  private static final int CAP = 0x00;
  private static final int CAP_HIGH = 0x04;
  private static final int VS = 0x08;
  private static final int INTMS = 0x0c;
  private static final int INTMC = 0x10;
  private static final int CC = 0x14;
  private static final int CSTS = 0x1c;
  private static final int AQA = 0x24;
  private static final int ASQ = 0x28;
  private static final int ASQ_HIGH = 0x2c;
  private static final int ACQ = 0x30;
  private static final int ACQ_HIGH = 0x34;
  private static final int CMBLOC = 0x38;
  private static final int CMBSZ = 0x3c;
  private static final int CMBMSC = 0x50;
  private static final int CMBMSC_HIGH = 0x54;
  private static final int CMBSTS = 0x58;

  private static final int MPS_MAX = 4;

  /** Queues contiguous, ready within 7.5 s, NVM command set, pages of 4 KiB to 64 KiB. */
  private static final long CAP_COMMON =
      (1L << 16) | (15L << 24) | (1L << 37) | ((long) MPS_MAX << 52);

  /** There is a Controller Memory Buffer to be enabled. */
  private static final long CAP_CMBS = 1L << 57;

  private static final int CC_EN = 1;
  private static final int CC_SHN = 3 << 14;
  private static final int CC_DEFINED = 0x00ff_fff1;
  private static final int CSTS_RDY = 1;
  private static final int CSTS_CFS = 1 << 1;
  private static final int CSTS_SHST = 3 << 2;
  private static final int CSTS_SHST_OCCURRING = 1 << 2;
  private static final int CSTS_SHST_COMPLETE = 2 << 2;

  private final int queueEntries;
  private final @Nullable NvmeMemoryBuffer buffer;
  private int interruptMask;
  private int configuration;
  private int status;

  /** It was reset, and commands are under way that still use memory. */
  private boolean isDraining;

  private int adminQueueAttributes;
  private long adminSubmissionQueue;
  private long adminCompletionQueue;

  /**
   * Registers as after power-on.
   *
   * @param queueEntries entries of the largest I/O queue
   * @param buffer the memory buffer, or null if there is none
   */
  NvmeRegisters(int queueEntries, @Nullable NvmeMemoryBuffer buffer) {
    this.queueEntries = queueEntries;
    this.buffer = buffer;
  }

  private long capabilities() {
    boolean hasBuffer = buffer != null && buffer.isAnnounced();
    return CAP_COMMON | (queueEntries - 1) | (hasBuffer ? CAP_CMBS : 0);
  }

  int read32(int offset) {
    return switch (offset) {
      case CAP -> (int) capabilities();
      case CAP_HIGH -> (int) (capabilities() >>> 32);
      case VS -> VERSION_1_4;
      case INTMS, INTMC -> interruptMask;
      case CC -> configuration;
      case CSTS -> status;
      case AQA -> adminQueueAttributes;
      case ASQ -> (int) adminSubmissionQueue;
      case ASQ_HIGH -> (int) (adminSubmissionQueue >>> 32);
      case ACQ -> (int) adminCompletionQueue;
      case ACQ_HIGH -> (int) (adminCompletionQueue >>> 32);
      default -> buffer == null ? 0 : readBuffer(buffer, offset);
    };
  }

  private static int readBuffer(NvmeMemoryBuffer buffer, int offset) {
    return switch (offset) {
      case CMBLOC -> buffer.location();
      case CMBSZ -> buffer.size();
      case CMBMSC -> (int) buffer.control();
      case CMBMSC_HIGH -> (int) (buffer.control() >>> 32);
      case CMBSTS -> buffer.status();
      default -> 0;
    };
  }

  /** Writes a register; read-only and reserved ones ignore it. */
  Transition write32(int offset, int value) {
    switch (offset) {
      case INTMS -> interruptMask |= value;
      case INTMC -> interruptMask &= ~value;
      case CC -> {
        return configure(value & CC_DEFINED);
      }
      case AQA -> adminQueueAttributes = value & 0x0fff_0fff;
      case ASQ -> adminSubmissionQueue = withLow(adminSubmissionQueue, value & ~0xfff);
      case ASQ_HIGH -> adminSubmissionQueue = withHigh(adminSubmissionQueue, value);
      case ACQ -> adminCompletionQueue = withLow(adminCompletionQueue, value & ~0xfff);
      case ACQ_HIGH -> adminCompletionQueue = withHigh(adminCompletionQueue, value);
      case CMBMSC -> {
        if (buffer != null) {
          buffer.control(withLow(buffer.control(), value));
        }
      }
      case CMBMSC_HIGH -> {
        if (buffer != null) {
          buffer.control(withHigh(buffer.control(), value));
        }
      }
      default -> {
        // Read-only or reserved.
      }
    }
    return Transition.NONE;
  }

  private Transition configure(int value) {
    boolean wasEnabled = (configuration & CC_EN) != 0;
    boolean isEnabled = (value & CC_EN) != 0;
    if (wasEnabled && !isEnabled) {
      // All but AQA, ASQ, ACQ and CMBMSC go back to their defaults.
      configuration = 0;
      status = 0;
      isDraining = false;
      interruptMask = 0;
      return Transition.RESET;
    }
    boolean isShutdown = (value & CC_SHN) != 0 && (configuration & CC_SHN) == 0;
    if (isShutdown) {
      status = (status & ~CSTS_SHST) | CSTS_SHST_OCCURRING;
    } else if ((value & CC_SHN) == 0 && (status & CSTS_SHST) != CSTS_SHST_OCCURRING) {
      status &= ~CSTS_SHST; // what occurs goes on, whatever is asked for meanwhile
    }
    configuration = value;
    // While it drains, software should have waited; it starts once that is over.
    boolean isStart = isEnabled && !wasEnabled && !isDraining;
    if (isStart && start() == Transition.ENABLE) {
      return isShutdown ? Transition.ENABLE_AND_SHUTDOWN : Transition.ENABLE;
    }
    return isShutdown ? Transition.SHUTDOWN : Transition.NONE;
  }

  private Transition start() {
    if (!canStart()) {
      status |= CSTS_CFS;
      return Transition.NONE;
    }
    status |= CSTS_RDY;
    return Transition.ENABLE;
  }

  /** The reset takes until commands that are under way have ended: CSTS.RDY stays. */
  void drain() {
    isDraining = true;
    status |= CSTS_RDY;
  }

  boolean isDraining() {
    return isDraining;
  }

  /** No command is under way any more; what software has asked for since is done now. */
  Transition drained() {
    isDraining = false;
    status &= ~CSTS_RDY;
    return (configuration & CC_EN) != 0 ? start() : Transition.NONE;
  }

  /** All that is cached is persistent. */
  void shutDown() {
    if ((status & CSTS_SHST) == CSTS_SHST_OCCURRING) {
      status = (status & ~CSTS_SHST) | CSTS_SHST_COMPLETE;
    }
  }

  private boolean canStart() {
    boolean nvmCommandSet = ((configuration >> 4) & 0x7) == 0;
    boolean roundRobin = ((configuration >> 11) & 0x7) == 0;
    return nvmCommandSet
        && roundRobin
        && pageSizeField() <= MPS_MAX
        && adminSubmissionEntries() >= 2
        && adminCompletionEntries() >= 2
        && isPage(adminSubmissionQueue)
        && isPage(adminCompletionQueue);
  }

  /** Some controllers, QEMU's older ones among them, take address 0 for "not set"; so this does. */
  private boolean isPage(long iova) {
    return iova != 0 && (iova & (pageSize() - 1)) == 0;
  }

  /** The controller cannot go on; only a reset helps. */
  void fail() {
    status |= CSTS_CFS;
  }

  boolean isReady() {
    return (status & (CSTS_RDY | CSTS_CFS)) == CSTS_RDY && !isDraining;
  }

  /** Entries of the largest I/O queue. */
  int queueEntries() {
    return queueEntries;
  }

  /** Vectors whose completions do not raise the interrupt line. */
  int interruptMask() {
    return interruptMask;
  }

  private int pageSizeField() {
    return (configuration >> 7) & 0xf;
  }

  /** The host memory page size that software chose. */
  int pageSize() {
    return 1 << (12 + pageSizeField());
  }

  /** Whether software set the entry sizes, as it must before it creates I/O queues. */
  boolean hasEntrySizes() {
    return ((configuration >> 16) & 0xf) == SUBMISSION_ENTRY_SHIFT
        && ((configuration >> 20) & 0xf) == COMPLETION_ENTRY_SHIFT;
  }

  int adminSubmissionEntries() {
    return (adminQueueAttributes & 0xfff) + 1;
  }

  int adminCompletionEntries() {
    return ((adminQueueAttributes >> 16) & 0xfff) + 1;
  }

  long adminSubmissionQueue() {
    return adminSubmissionQueue;
  }

  long adminCompletionQueue() {
    return adminCompletionQueue;
  }

  /** As after power-on. */
  void reset() {
    isDraining = false;
    interruptMask = 0;
    configuration = 0;
    status = 0;
    adminQueueAttributes = 0;
    adminSubmissionQueue = 0;
    adminCompletionQueue = 0;
    if (buffer != null) {
      buffer.reset();
    }
  }

  private static long withLow(long value, int low) {
    return (value & 0xffff_ffff_0000_0000L) | Integer.toUnsignedLong(low);
  }

  private static long withHigh(long value, int high) {
    return (value & 0xffff_ffffL) | ((long) high << 32);
  }
}

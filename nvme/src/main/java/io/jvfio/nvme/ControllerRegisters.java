// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.IommuType;
import io.jvfio.MappableArea;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.linux.Registers;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The controller's registers, and the waits for its state. Source: NVM Express Base Specification,
 * "Controller Properties"; NVM Express over PCIe Transport Specification, "Doorbells".
 *
 * <p>64-bit registers are accessed as two 32-bit halves, which every controller supports. Doorbells
 * are memory where the device lets them be mapped, even if nothing else is: a vfio-user server that
 * polls does that.
 */
final class ControllerRegisters implements AutoCloseable {
  private static final long CAP = 0x00;
  private static final long VS = 0x08;
  private static final long CC = 0x14;
  private static final long CSTS = 0x1c;
  private static final long AQA = 0x24;
  private static final long ASQ = 0x28;
  private static final long ACQ = 0x30;
  private static final long CMBLOC = 0x38;
  private static final long CMBSZ = 0x3c;
  private static final long CMBMSC = 0x50;
  static final long DOORBELLS = 0x1000;

  private static final int CAP_CMBS_SHIFT = 57;
  private static final int CMBSZ_SQS = 1;
  private static final int CMBSZ_UNITS_SHIFT = 8;
  private static final int CMBMSC_CRE = 1;
  private static final int CMBMSC_CMSE = 1 << 1;

  private static final int CC_EN = 1;
  private static final int CC_SHN_MASK = 3 << 14;
  private static final int CC_SHN_NORMAL = 1 << 14;

  /** NVM command set, pages of 4 KiB, round robin, entries of 64 and 16 bytes. */
  private static final int CC_RUN = CC_EN | (6 << 16) | (4 << 20);

  private static final int CSTS_RDY = 1;
  private static final int CSTS_CFS = 1 << 1;
  private static final int CSTS_SHST_MASK = 3 << 2;
  private static final int CSTS_SHST_COMPLETE = 2 << 2;

  /** What a device reads as when it is not there. */
  private static final int GONE = -1;

  private static final long TIMEOUT_UNIT_NANOS = 500_000_000;

  private final Registers registers;
  private final VfioDevice device;

  /** The part of the registers with doorbells that is mapped where not all of them are, or null. */
  private final @Nullable Registers mapped;

  /** Where that part begins. */
  private final long mappedStart;

  /** The CAP register, which never changes. */
  private long capabilities;

  /** The registers of a device, without touching them. */
  ControllerRegisters(VfioDevice device) {
    this.device = device;
    var region = device.region(0);
    registers = region.registers();
    // All of them are mapped already where the whole region is one area.
    var whole = new MappableArea(0, region.info().byteSize());
    var area =
        region.mappableAreas().stream()
            .filter(each -> !each.equals(whole) && isInside(each, DOORBELLS))
            .findFirst();
    try {
      mapped = area.map(region::map).orElse(null);
    } catch (RuntimeException e) {
      registers.close();
      throw e;
    }
    mappedStart = area.map(MappableArea::offset).orElse(0L);
  }

  private static boolean isInside(MappableArea area, long register) {
    return register >= area.offset() && register <= area.offset() + area.byteSize() - Integer.BYTES;
  }

  private long read64(long offset) {
    long low = Integer.toUnsignedLong(registers.read32(offset));
    return low | ((long) registers.read32(offset + Integer.BYTES) << 32);
  }

  private void write64(long offset, long value) {
    registers.write32(offset, (int) value);
    registers.write32(offset + Integer.BYTES, (int) (value >>> 32));
  }

  /**
   * Reads what the controller can do, before anything else, and checks that this driver can drive
   * it.
   *
   * @throws VfioException if it is gone, or needs larger pages or another command set
   */
  void readCapabilities() {
    checkPresent(registers.read32(CSTS), "read the NVMe capabilities");
    capabilities = read64(CAP);
    if (((capabilities >> 48) & 0xf) != 0) {
      throw failure("check CAP.MPSMIN", "The controller needs memory pages larger than 4 KiB.", "");
    }
    if (((capabilities >> 37) & 1) == 0) {
      throw failure("check CAP.CSS", "The controller has no NVM command set.", "");
    }
  }

  /** CAP.MQES: entries that an I/O queue can have. */
  int maxQueueEntries() {
    return (int) (capabilities & 0xffff) + 1;
  }

  /** The VS register. */
  int version() {
    return registers.read32(VS);
  }

  /** The submission queue's tail doorbell. */
  Doorbell submissionTail(int queue) {
    return doorbell(submissionDoorbell(queue));
  }

  /** The completion queue's head doorbell. */
  Doorbell completionHead(int queue) {
    return doorbell(completionDoorbell(queue));
  }

  /**
   * Whether all doorbells that there can be are memory, of which the controller sees each store.
   */
  boolean haveDoorbellsInMemory() {
    long end = completionDoorbell(Startup.MAX_PAIRS) + Integer.BYTES;
    var region = device.region(0);
    return region.isMemory()
        && region.mappableAreas().stream()
            .anyMatch(area -> isInside(area, DOORBELLS) && area.offset() + area.byteSize() >= end);
  }

  /** A doorbell register. */
  Doorbell doorbell(long offset) {
    var part = mapped;
    return part != null && offset - mappedStart <= part.byteSize() - Integer.BYTES
        ? new Doorbell(part, offset - mappedStart)
        : new Doorbell(registers, offset);
  }

  /** Where the submission queue's tail doorbell is. */
  long submissionDoorbell(int queue) {
    return DOORBELLS + ((2L * queue) << doorbellShift());
  }

  /** Where the completion queue's head doorbell is. */
  long completionDoorbell(int queue) {
    return DOORBELLS + ((2L * queue + 1) << doorbellShift());
  }

  /** CAP.DSTRD. */
  private int doorbellShift() {
    return 2 + ((int) (capabilities >> 32) & 0xf);
  }

  /** Whether there is a memory buffer whose address the host chooses. */
  boolean hasControllerMemory() {
    return ((capabilities >> CAP_CMBS_SHIFT) & 1) != 0;
  }

  /** Has CMBLOC and CMBSZ tell of the memory buffer; and gives it an address, unless that is 0. */
  void enableControllerMemory(long address) {
    int flags = address == 0 ? CMBMSC_CRE : CMBMSC_CRE | CMBMSC_CMSE;
    // The half with the flags last: the address is complete when it counts.
    registers.write32(CMBMSC + Integer.BYTES, (int) (address >>> 32));
    registers.write32(CMBMSC, (int) address | flags);
  }

  /** CMBSZ. */
  int controllerMemorySize() {
    return registers.read32(CMBSZ);
  }

  /** CMBLOC. */
  int controllerMemoryLocation() {
    return registers.read32(CMBLOC);
  }

  /** Whether a memory buffer of this CMBSZ takes submission queues. */
  static boolean takesSubmissionQueues(int size) {
    return (size & CMBSZ_SQS) != 0;
  }

  /** The unit of size and offset of a memory buffer of this CMBSZ: 4 KiB, 64 KiB and so on. */
  static long controllerMemoryUnit(int size) {
    return (long) PrpList.PAGE_SIZE << (4 * ((size >> CMBSZ_UNITS_SHIFT) & 0xf));
  }

  /** Tells the controller where its admin queues are; it has to be disabled. */
  void adminQueues(long submissionIova, long completionIova, int entries) {
    registers.write32(AQA, (entries - 1) | ((entries - 1) << 16));
    write64(ASQ, submissionIova);
    write64(ACQ, completionIova);
  }

  /**
   * Starts the controller and waits until it is ready.
   *
   * @throws VfioException if it fails or does not become ready within CAP.TO
   */
  void enable() {
    registers.write32(CC, CC_RUN);
    await("enable", CSTS_RDY, CSTS_RDY, readyNanos(), true);
  }

  /**
   * Stops the controller and waits until it is; this is a controller reset.
   *
   * @throws VfioException if it does not stop within CAP.TO
   */
  void disable() {
    registers.write32(CC, registers.read32(CC) & ~CC_EN & ~CC_SHN_MASK);
    await("disable", CSTS_RDY, 0, readyNanos(), false);
  }

  /**
   * Has the controller bring its data to safety, as before power-off.
   *
   * @throws VfioException if that takes longer than {@code timeout}
   */
  void shutDown(Duration timeout) {
    registers.write32(CC, (registers.read32(CC) & ~CC_SHN_MASK) | CC_SHN_NORMAL);
    await("shut down", CSTS_SHST_MASK, CSTS_SHST_COMPLETE, timeout.toNanos(), true);
  }

  /** CAP.TO: how long enabling or disabling may take. */
  private long readyNanos() {
    return Math.max((capabilities >> 24) & 0xff, 1) * TIMEOUT_UNIT_NANOS;
  }

  private void await(String step, int mask, int expected, long nanos, boolean isWorking) {
    var backoff = Backoff.patient(nanos);
    while (true) {
      if (isWorking) {
        checkOpen(step);
      }
      // The time is read before the status: a late look at the clock fails no one.
      boolean expired = backoff.isExpired();
      int status = registers.read32(CSTS);
      checkPresent(status, step);
      if ((status & mask) == expected) {
        return;
      }
      if (isWorking && (status & CSTS_CFS) != 0) {
        throw fatal(step);
      }
      if (expired) {
        throw failure(
            step,
            "The controller did not do so within %d ms (CSTS 0x%x)."
                .formatted(nanos / 1_000_000, status),
            "Reset the device, or power it off and on.");
      }
      backoff.pause();
    }
  }

  /**
   * Looks whether the controller is alive; for a command that takes long.
   *
   * @throws VfioException if it is gone, has given up, or is being closed
   */
  void checkAlive(String step) {
    checkOpen(step);
    int status = registers.read32(CSTS);
    checkPresent(status, step);
    if ((status & CSTS_CFS) != 0) {
      throw fatal(step);
    }
  }

  /**
   * Looks whether a controller that was started still runs; for a command that takes long.
   *
   * @throws VfioException as {@link #checkAlive}, or if somebody else has reset it: a user of its
   *     configuration space, or whoever restarted the program that it is
   */
  void checkRunning(String step) {
    checkOpen(step);
    int status = registers.read32(CSTS);
    checkPresent(status, step);
    if ((status & CSTS_CFS) != 0) {
      throw fatal(step);
    }
    if ((status & CSTS_RDY) == 0) {
      throw failure(
          step,
          "The controller is not ready any more (CSTS.RDY is 0): somebody else has reset it.",
          "");
    }
  }

  /** What a device does not do any more that is being closed is not waited for. */
  private void checkOpen(String step) {
    if (device.isClosed()) {
      throw failure(step, "The device was closed.", "Close the controller before its device.");
    }
  }

  private void checkPresent(int status, String step) {
    if (status == GONE) {
      throw failure(
          step,
          "All its registers read as ones: the device is gone, asleep, or does not decode memory.",
          isBehindSocket() ? "Look into the server's log." : "Look for it in lspci and dmesg.");
    }
  }

  /** A completion for a command that was not given, or was completed before. */
  VfioException unknownCompletion(int queue, int commandId) {
    return failure(
        "take a completion",
        "The controller completed command %d of queue %d, which it was not given."
            .formatted(commandId, queue),
        "Its firmware or its memory is faulty.");
  }

  /** A command that did not come back. */
  VfioException commandTimeout(String command, long nanos) {
    return failure(
        "wait for a command",
        "The controller did not complete %s within %d ms.".formatted(command, nanos / 1_000_000),
        "Allow it more time (NvmeOptions.commandTimeout), if it is not broken.");
  }

  /**
   * A command that did not come back, nor any before it: the queues are in memory, so that nothing
   * is known yet to have come from the controller by DMA.
   */
  VfioException firstCommandTimeout(String command, long nanos, IommuType iommuType) {
    return failure(
        "wait for a command",
        ("The controller did not complete %s, the first of all, within %d ms, and its registers report no error: it is"
                + " slow or broken, or its DMA does not arrive (IOMMU type %s).")
            .formatted(command, nanos / 1_000_000, iommuType),
        switch (iommuType) {
          case TYPE1, TYPE1V2, TYPE1_NESTING, IOMMUFD ->
              "Look for IOMMU faults in dmesg. Without any, DMA can be lost by the machine itself, as by QEMU's amd-iommu"
                  + " unless it has dma-remap=on: then Linux's own nvme driver fails alike. Allow a slow controller more"
                  + " time (NvmeOptions.commandTimeout).";
          case SPAPR_TCE, SPAPR_TCE_V2 ->
              "Look for 'EEH:' and IOMMU faults in dmesg. Allow a slow controller more time"
                  + " (NvmeOptions.commandTimeout).";
          case NOIOMMU ->
              "An IOMMU that is on all the same, or memory beyond what the device can address, loses its DMA: look in"
                  + " dmesg. Allow a slow controller more time (NvmeOptions.commandTimeout).";
          case VFIO_USER ->
              "Look into the server's log for memory of this process that it could not reach. Allow a slow controller"
                  + " more time (NvmeOptions.commandTimeout).";
        });
  }

  private VfioException fatal(String step) {
    return failure(
        step,
        "The controller reports a fatal error (CSTS.CFS), as it does when it cannot reach its"
            + " queues.",
        isBehindSocket() ? "Look into the server's log." : "Look for IOMMU faults in dmesg.");
  }

  /** Whether a program is the device, of which the kernel knows nothing. */
  private boolean isBehindSocket() {
    return device.dmaSpace().type() == IommuType.VFIO_USER;
  }

  /** A failure of this device; nothing was asked of the kernel. */
  VfioException failure(String operation, String meaning, String nextStep) {
    return new VfioException("NVMe: " + operation, device.name(), null, meaning, nextStep);
  }

  @Override
  public void close() {
    try (registers) {
      if (mapped != null) {
        mapped.close();
      }
    }
  }
}

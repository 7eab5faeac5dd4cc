package io.jvfio.model;

import static io.jvfio.model.LittleEndian.LE16;
import static io.jvfio.model.LittleEndian.LE32;
import static io.jvfio.model.LittleEndian.LE64;
import static io.jvfio.model.LittleEndian.LE8;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * What the controller says of itself. Source: NVM Express Base Specification, "Identify Controller
 * data structure", "Namespace Identification Descriptor list"; NVM Command Set Specification,
 * "Identify Namespace data structure". Offsets are those of the figures there.
 */
final class NvmeIdentifyPages {
  static final int PAGE_SIZE = 4096;
  static final int NAMESPACE = 1;
  static final int ALL_NAMESPACES = -1;
  static final String MODEL = "jvfio NVMe model";
  static final String FIRMWARE = "1.0";

  private static final int CNS_NAMESPACE = 0x00;
  private static final int CNS_CONTROLLER = 0x01;
  private static final int CNS_ACTIVE_NAMESPACES = 0x02;
  private static final int CNS_NAMESPACE_DESCRIPTORS = 0x03;
  private static final int DESCRIPTOR_UUID = 3;
  private static final int UUID_SIZE = 16;

  private final MemorySegment page;
  private final String serial;
  private final int blockShift;
  private final long blocks;
  private final UUID uuid;

  NvmeIdentifyPages(Arena arena, String serial, int blockShift, long blocks) {
    page = arena.allocate(PAGE_SIZE, Long.BYTES);
    this.serial = serial;
    this.blockShift = blockShift;
    this.blocks = blocks;
    uuid = UUID.nameUUIDFromBytes(("jvfio:" + serial).getBytes(StandardCharsets.US_ASCII));
  }

  /** Identify: writes the page asked for to the memory that {@code prp} finds. */
  int identify(NvmeCommand command, NvmePrp prp, int pageSize) throws DmaFaultException {
    page.fill((byte) 0);
    int status =
        switch (command.cdw10() & 0xff) {
          case CNS_NAMESPACE -> namespace(command.namespaceId());
          case CNS_CONTROLLER -> controller();
          case CNS_ACTIVE_NAMESPACES -> activeNamespaces(command.namespaceId());
          case CNS_NAMESPACE_DESCRIPTORS -> descriptors(command.namespaceId());
          default -> NvmeStatus.INVALID_FIELD;
        };
    if (status == NvmeStatus.SUCCESS) {
      status = prp.map(command, PAGE_SIZE, pageSize);
    }
    if (status == NvmeStatus.SUCCESS) {
      prp.write(page);
    }
    return status;
  }

  private int controller() {
    page.set(LE16, 0, (short) NvmeModel.VENDOR_ID);
    page.set(LE16, 2, (short) NvmeModel.SUBSYSTEM_VENDOR_ID);
    putText(page, 4, 20, serial);
    putText(page, 24, 40, MODEL);
    putText(page, 64, 8, FIRMWARE);
    page.set(LE8, 72, (byte) 6); // arbitration burst recommended: 64 commands
    page.set(LE8, 77, (byte) NvmePrp.MDTS);
    page.set(LE32, 80, NvmeRegisters.VERSION_1_4);
    page.set(LE8, 111, (byte) 1); // an I/O controller
    page.set(LE8, 258, (byte) 3); // abort limit, zero-based
    page.set(LE8, 259, (byte) (NvmeAsyncEvents.LIMIT - 1));
    page.set(LE8, 260, (byte) ((1 << 1) | 1)); // one firmware slot, read-only
    page.set(LE8, 261, (byte) (1 << 2)); // log pages can be read from an offset
    page.set(LE8, 262, (byte) (NvmeLogPages.ERROR_ENTRIES - 1));
    page.set(LE16, 266, (short) 343); // warning temperature, in kelvin
    page.set(LE16, 268, (short) 373); // critical temperature
    page.set(LE8, 512, entrySizes(NvmeRegisters.SUBMISSION_ENTRY_SHIFT));
    page.set(LE8, 513, entrySizes(NvmeRegisters.COMPLETION_ENTRY_SHIFT));
    page.set(LE32, 516, NAMESPACE);
    page.set(LE16, 520, (short) (1 | (1 << 3))); // Compare, Write Zeroes
    page.set(LE8, 525, (byte) 7); // a volatile write cache; Flush takes all namespaces at once
    putBytes(page, 768, "nqn.2026-11.io.jvfio:nvme-model:" + serial);
    page.set(LE16, 2048, (short) 2500); // power state 0: maximum power, in 0.01 W
    return NvmeStatus.SUCCESS;
  }

  /** Both the smallest and the largest entry size. */
  private static byte entrySizes(int shift) {
    return (byte) ((shift << 4) | shift);
  }

  private int namespace(int namespaceId) {
    if (namespaceId != NAMESPACE) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    page.set(LE64, 0, blocks);
    page.set(LE64, 8, blocks);
    page.set(LE64, 16, blocks);
    putUuid(104); // NGUID
    page.set(LE8, 128 + 2, (byte) blockShift); // LBA format 0, the one there is
    return NvmeStatus.SUCCESS;
  }

  private int activeNamespaces(int after) {
    if (Integer.compareUnsigned(after, 0xffff_fffe) >= 0) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    if (Integer.compareUnsigned(after, NAMESPACE) < 0) {
      page.set(LE32, 0, NAMESPACE);
    }
    return NvmeStatus.SUCCESS;
  }

  private int descriptors(int namespaceId) {
    if (namespaceId != NAMESPACE) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    page.set(LE8, 0, (byte) DESCRIPTOR_UUID);
    page.set(LE8, 1, (byte) UUID_SIZE);
    putUuid(4);
    return NvmeStatus.SUCCESS;
  }

  /** UUIDs are big-endian even here. */
  private void putUuid(long offset) {
    var bytes =
        ByteBuffer.allocate(UUID_SIZE)
            .putLong(uuid.getMostSignificantBits())
            .putLong(uuid.getLeastSignificantBits());
    MemorySegment.copy(MemorySegment.ofArray(bytes.array()), 0, page, offset, UUID_SIZE);
  }

  /** ASCII, padded with spaces. */
  static void putText(MemorySegment target, long offset, int length, String text) {
    target.asSlice(offset, length).fill((byte) ' ');
    putBytes(target, offset, text.substring(0, Math.min(text.length(), length)));
  }

  private static void putBytes(MemorySegment target, long offset, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, target, offset, bytes.length);
  }
}

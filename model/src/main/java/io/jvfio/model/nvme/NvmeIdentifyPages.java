// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import io.jvfio.model.DmaFaultException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The pages of Identify: what the controller says of itself. Source: NVM Express Base
 * Specification, "Identify Controller data structure", "Namespace Identification Descriptor list";
 * NVM Command Set Specification, "Identify Namespace data structure". Offsets are those of the
 * figures there.
 */
final class NvmeIdentifyPages {
  static final int PAGE_SIZE = 4096;

  private static final int CNS_NAMESPACE = 0x00;
  private static final int CNS_CONTROLLER = 0x01;
  private static final int CNS_ACTIVE_NAMESPACES = 0x02;
  private static final int CNS_NAMESPACE_DESCRIPTORS = 0x03;
  private static final int CNS_NAMESPACE_OF_COMMAND_SET = 0x05;
  private static final int CNS_CONTROLLER_OF_COMMAND_SET = 0x06;
  private static final int CNS_NAMESPACE_OF_ALL_SETS = 0x08;
  private static final int NVM_COMMAND_SET = 0;
  private static final int DESCRIPTOR_UUID = 3;
  private static final int UUID_SIZE = 16;

  private static final int OACS_DOORBELL_BUFFER = 1 << 8;

  private static final int ONCS_FEATURE_SELECT = 1 << 4;
  private static final int ONCS_TIMESTAMP = 1 << 6;

  /** Compare, Dataset Management, Write Zeroes, Verify, Copy. */
  private static final int ONCS_COMMANDS = 1 | (1 << 2) | (1 << 3) | (1 << 7) | (1 << 8);

  private static final int VWC_PRESENT = 1;
  private static final int VWC_FLUSHES_ALL = 3 << 1;

  /** Data may be anywhere; bit buckets. */
  private static final int SGLS = 1 | (1 << 16);

  /** Deallocated blocks read as zeroes, and Write Zeroes can deallocate. */
  private static final int DLFEAT = 1 | (1 << 3);

  /** NUSE says what takes room. */
  private static final int NSFEAT_THIN = 1;

  private static final int SMALLEST_BLOCK_SHIFT = 9;
  private static final int LARGEST_BLOCK_SHIFT = 12;

  private final MemorySegment page;
  private final NvmeModelOptions.Settings options;
  private final NvmeData data;
  private final List<NvmeNamespace> namespaces;

  NvmeIdentifyPages(
      NvmeModelOptions.Settings options,
      NvmeData data,
      List<NvmeNamespace> namespaces,
      Arena arena) {
    this.options = options;
    this.data = data;
    this.namespaces = namespaces;
    page = arena.allocate(PAGE_SIZE, Long.BYTES);
  }

  /** Identify: writes the page asked for to the host. */
  int identify(NvmeCommand command) throws DmaFaultException {
    page.fill((byte) 0);
    int structure = command.cdw10() & 0xff;
    int commandSet = command.cdw11() >>> 24;
    int status =
        switch (structure) {
          case CNS_CONTROLLER -> controller();
          case CNS_ACTIVE_NAMESPACES -> activeNamespaces(command.namespaceId());
          case CNS_NAMESPACE, CNS_NAMESPACE_DESCRIPTORS, CNS_NAMESPACE_OF_ALL_SETS ->
              namespace(structure, command.namespaceId());
          case CNS_NAMESPACE_OF_COMMAND_SET ->
              commandSet == NVM_COMMAND_SET
                  ? namespace(structure, command.namespaceId())
                  : NvmeStatus.INVALID_FIELD;
          // All zero: none of its limits is lower than those that go for every command.
          case CNS_CONTROLLER_OF_COMMAND_SET ->
              commandSet == NVM_COMMAND_SET ? NvmeStatus.SUCCESS : NvmeStatus.INVALID_FIELD;
          default -> NvmeStatus.INVALID_FIELD;
        };
    return status == NvmeStatus.SUCCESS ? data.write(command, page, 0, PAGE_SIZE) : status;
  }

  private int controller() {
    page.set(LE16, 0, (short) NvmeModel.VENDOR_ID);
    page.set(LE16, 2, (short) NvmeModel.SUBSYSTEM_VENDOR_ID);
    putText(page, 4, 20, options.serial);
    putText(page, 24, 40, options.model);
    putText(page, 64, 8, options.firmware);
    page.set(LE8, 72, (byte) 6); // arbitration burst recommended: 64 commands
    page.set(LE8, 77, (byte) options.maxTransferShift());
    page.set(LE32, 80, NvmeRegisters.VERSION_1_4);
    page.set(LE8, 111, (byte) 1); // an I/O controller
    int doorbellBuffer = options.hasShadowDoorbells ? OACS_DOORBELL_BUFFER : 0;
    page.set(LE16, 256, (short) doorbellBuffer);
    page.set(LE8, 258, (byte) 3); // abort limit, zero-based
    page.set(LE8, 259, (byte) (NvmeAsyncEvents.LIMIT - 1));
    page.set(LE8, 260, (byte) ((1 << 1) | 1)); // one firmware slot, read-only
    page.set(LE8, 261, (byte) ((1 << 1) | (1 << 2))); // effects log; log pages from an offset on
    page.set(LE8, 262, (byte) (NvmeLogPages.ERROR_ENTRIES - 1));
    page.set(LE16, 266, (short) NvmeLogPages.WARNING_KELVIN);
    page.set(LE16, 268, (short) NvmeLogPages.CRITICAL_KELVIN);
    page.set(LE64, 280, namespaces.stream().mapToLong(each -> each.storage().byteSize()).sum());
    page.set(LE8, 512, entrySizes(NvmeRegisters.SUBMISSION_ENTRY_SHIFT));
    page.set(LE8, 513, entrySizes(NvmeRegisters.COMPLETION_ENTRY_SHIFT));
    page.set(LE32, 516, namespaces.size());
    int commands = options.hasOptionalCommands ? ONCS_COMMANDS : 0;
    page.set(LE16, 520, (short) (commands | ONCS_FEATURE_SELECT | ONCS_TIMESTAMP));
    int cache = options.hasWriteCache ? VWC_PRESENT : 0;
    page.set(LE8, 525, (byte) (cache | VWC_FLUSHES_ALL));
    page.set(LE16, 534, (short) (options.hasOptionalCommands ? 1 : 0)); // Copy, format 0
    page.set(LE32, 536, options.hasSgl ? SGLS : 0);
    page.set(LE32, 540, namespaces.size());
    putBytes(page, 768, "nqn.2026-11.io.jvfio:nvme-model:" + options.serial);
    page.set(LE16, 2048, (short) 2500); // power state 0: maximum power, in 0.01 W
    return NvmeStatus.SUCCESS;
  }

  /** Both the smallest and the largest entry size. */
  private static byte entrySizes(int shift) {
    return (byte) ((shift << 4) | shift);
  }

  private @Nullable NvmeNamespace find(int id) {
    return id >= 1 && id <= namespaces.size() ? namespaces.get(id - 1) : null;
  }

  private int namespace(int structure, int namespaceId) {
    var namespace = find(namespaceId);
    if (namespace == null) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    switch (structure) {
      case CNS_NAMESPACE -> namespace(namespace);
      case CNS_NAMESPACE_DESCRIPTORS -> {
        page.set(LE8, 0, (byte) DESCRIPTOR_UUID);
        page.set(LE8, 1, (byte) UUID_SIZE);
        putUuid(4, namespace.uuid());
      }
      case CNS_NAMESPACE_OF_ALL_SETS -> {
        page.set(LE8, 8, attributes(namespace));
        page.set(LE8, 14, (byte) 1); // ready
      }
      default -> {
        // Of the NVM command set: no protection information, no storage tags.
      }
    }
    return NvmeStatus.SUCCESS;
  }

  private void namespace(NvmeNamespace namespace) {
    page.set(LE64, 0, namespace.blocks());
    page.set(LE64, 8, namespace.blocks());
    page.set(LE64, 16, namespace.blocksInUse());
    page.set(LE8, 24, (byte) NSFEAT_THIN);
    page.set(LE8, 25, (byte) (LARGEST_BLOCK_SHIFT - SMALLEST_BLOCK_SHIFT)); // formats, zero-based
    page.set(LE8, 26, (byte) (namespace.blockShift() - SMALLEST_BLOCK_SHIFT));
    page.set(LE8, 33, (byte) DLFEAT);
    page.set(LE64, 48, namespace.storage().byteSize());
    if (options.hasOptionalCommands) {
      page.set(LE16, 74, (short) NvmeIo.MAX_COPY_RANGE);
      page.set(LE32, 76, NvmeIo.MAX_COPY);
      page.set(LE8, 80, (byte) (NvmeIo.MAX_COPY_RANGES - 1));
    }
    page.set(LE8, 99, attributes(namespace));
    putUuid(104, namespace.uuid()); // NGUID
    for (int shift = SMALLEST_BLOCK_SHIFT; shift <= LARGEST_BLOCK_SHIFT; shift++) {
      // No format has metadata.
      page.set(LE32, 128 + 4L * (shift - SMALLEST_BLOCK_SHIFT), shift << 16);
    }
  }

  /** Whether it is write protected. */
  private static byte attributes(NvmeNamespace namespace) {
    return (byte) (namespace.isReadOnly() ? 1 : 0);
  }

  private int activeNamespaces(int after) {
    if (Integer.compareUnsigned(after, 0xffff_fffe) >= 0) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    long offset = 0;
    for (var namespace : namespaces) {
      if (Integer.compareUnsigned(namespace.id(), after) > 0 && offset < PAGE_SIZE) {
        page.set(LE32, offset, namespace.id());
        offset += Integer.BYTES;
      }
    }
    return NvmeStatus.SUCCESS;
  }

  /** UUIDs are big-endian even here. */
  private void putUuid(long offset, UUID uuid) {
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

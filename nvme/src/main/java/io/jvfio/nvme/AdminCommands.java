// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import io.jvfio.DmaMapping;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The admin commands that tell of the controller and its namespaces. Source: NVM Express Base
 * Specification, "Admin Command Set". Safe for use by several threads: one command at a time goes
 * to the controller.
 */
final class AdminCommands {
  static final int CNS_NAMESPACE = 0x00;
  static final int CNS_CONTROLLER = 0x01;

  static final int LOG_ERRORS = 0x01;
  static final int LOG_SMART = 0x02;
  static final int LOG_FIRMWARE = 0x03;
  static final int LOG_EFFECTS = 0x05;

  static final int ALL_NAMESPACES = -1;

  private static final int CNS_ACTIVE_NAMESPACES = 0x02;
  private static final int CNS_DESCRIPTORS = 0x03;
  private static final int NAMESPACES_PER_PAGE = PrpList.PAGE_SIZE / Integer.BYTES;
  private static final int ERASE_SHIFT = 9;
  private static final int MAX_FORMAT = 15;

  private final Controller controller;

  AdminCommands(Controller controller) {
    this.controller = controller;
  }

  /** Identify; what is decoded must not be kept. */
  private MemorySegment identify(int namespaceId, int structure, String object) {
    var admin = controller.startup().admin();
    controller.execute(Opcode.IDENTIFY, object, namespaceId, admin.dataIova(), structure);
    return admin.data();
  }

  IdentifyNamespace namespace(int id) {
    return controller.call(
        () -> IdentifyNamespace.decode(identify(id, CNS_NAMESPACE, "namespace " + id)));
  }

  NamespaceIdentifiers identifiers(int id) {
    return controller.call(
        () -> NamespaceIdentifiers.decode(identify(id, CNS_DESCRIPTORS, "namespace " + id)));
  }

  List<Integer> activeNamespaces() {
    return controller.call(
        () -> {
          List<Integer> ids = new ArrayList<>();
          int last = 0;
          int count;
          do {
            var page = identify(last, CNS_ACTIVE_NAMESPACES, "the namespaces");
            count = 0;
            while (count < NAMESPACES_PER_PAGE) {
              int id = page.get(LE32, (long) count * Integer.BYTES);
              // The list ends with 0. One that does not ascend would never end.
              if (Integer.compareUnsigned(id, last) <= 0) {
                break;
              }
              ids.add(id);
              last = id;
              count++;
            }
          } while (count == NAMESPACES_PER_PAGE);
          return List.copyOf(ids);
        });
  }

  /**
   * Get Log Page, in as many commands as it takes.
   *
   * @param offset a multiple of 4
   * @param byteSize a multiple of 4, at least 4
   */
  byte[] logPage(int page, int namespaceId, long offset, int byteSize) {
    var identity = controller.startup().identity();
    if ((offset | byteSize) % Integer.BYTES != 0 || offset < 0 || byteSize <= 0) {
      throw new IllegalArgumentException(
          "%d bytes at %d: not a multiple of 4".formatted(byteSize, offset));
    }
    if (offset + byteSize > PrpList.PAGE_SIZE && !identity.supportsLogOffsets()) {
      throw new UnsupportedOperationException(
          "%s does not offer offsets in log pages (LPA bit 2): only the first 4096 bytes can be read"
              .formatted(controller.name()));
    }
    byte[] bytes = new byte[byteSize];
    controller.run(
        () -> {
          var admin = controller.startup().admin();
          for (int done = 0; done < byteSize; done += PrpList.PAGE_SIZE) {
            int count = Math.min(byteSize - done, PrpList.PAGE_SIZE);
            int dwords = count / Integer.BYTES - 1;
            controller.execute(
                Opcode.GET_LOG_PAGE.code(),
                Opcode.GET_LOG_PAGE.label(),
                "log page 0x%02x".formatted(page),
                namespaceId,
                admin.dataIova(),
                0,
                SubmissionEntry.pair(page | dwords << 16, 0),
                offset + done,
                0,
                controller.options().commandTimeout().toNanos());
            MemorySegment.copy(admin.data(), LE8, 0, bytes, done, count);
          }
        });
    return bytes;
  }

  /** Format NVM. */
  void format(int namespaceId, int formatIndex, NvmeSecureErase erase, Duration timeout) {
    if (formatIndex < 0 || formatIndex > MAX_FORMAT) {
      throw new IllegalArgumentException("LBA format %d, not 0 to 15".formatted(formatIndex));
    }
    if (!controller.startup().identity().supportsFormat()) {
      throw new UnsupportedOperationException(
          "%s does not offer Format NVM (OACS bit 1)".formatted(controller.name()));
    }
    controller.run(
        () ->
            controller.execute(
                Opcode.FORMAT_NVM.code(),
                Opcode.FORMAT_NVM.label(),
                namespaceId == ALL_NAMESPACES ? "all namespaces" : "namespace " + namespaceId,
                namespaceId,
                0,
                0,
                formatIndex | erase.code() << ERASE_SHIFT,
                0,
                0,
                timeout.toNanos()));
  }

  /** Any command. */
  int raw(NvmeCommand command, int namespaceId, @Nullable DmaMapping buffer, Duration timeout) {
    if (buffer != null && buffer.byteSize() > PrpList.MAX_TRANSFER) {
      throw new IllegalArgumentException(
          "%d bytes, not up to %d".formatted(buffer.byteSize(), PrpList.MAX_TRANSFER));
    }
    return controller.call(
        () ->
            controller.execute(
                command.opcode(),
                "Admin command 0x%02x".formatted(command.opcode()),
                "",
                namespaceId,
                buffer == null ? 0 : buffer.iova(),
                buffer == null ? 0 : controller.startup().admin().describe(buffer),
                command.cdw10and11(),
                command.cdw12and13(),
                command.cdw14and15(),
                timeout.toNanos()));
  }
}

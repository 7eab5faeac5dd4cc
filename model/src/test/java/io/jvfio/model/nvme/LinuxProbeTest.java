// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/**
 * What Linux's own driver asks of a controller from probe to shutdown, in its order, and what it
 * makes of the answers. Source: drivers/nvme/host/core.c and pci.c of Linux 6.12.
 */
class LinuxProbeTest {
  private static final int ADMIN_ENTRIES = 32;
  private static final int IO_ENTRIES = 1024;
  private static final int QUEUES = 4;
  private static final int ENABLE = 0x0046_0001;
  private static final long MEMORY_BUFFER = 0x38_0000_0000L;
  private static final long DOORBELLS = 0x2_0000;
  private static final long EVENTS = 0x2_1000;

  private final NvmeHost host =
      new NvmeHost(
          NvmeModelOptions.of("LINUX", NvmeNamespaceOptions.inMemory(1 << 30))
              .withNamespace(NvmeNamespaceOptions.inMemory(1 << 30).withBlockSize(4096))
              .withMemoryBuffer(1 << 20));

  private NvmeHost.Completion admin(
      int opcode, int namespace, long prp1, long prp2, int cdw10, int cdw11) {
    return host.admin.run(new Command(opcode, namespace, prp1, prp2, cdw10, cdw11, 0));
  }

  private void identify(int structure, int namespace) {
    assertThat(admin(0x06, namespace, DATA, 0, structure, 0).status())
        .as("CNS %d", structure)
        .isZero();
  }

  private int byteAt(long offset) {
    return Byte.toUnsignedInt(host.memory.get(LE8, DATA + offset));
  }

  @Test
  void bindsUsesAndLetsGoOfTheController() {
    try (host) {
      enable();
      identifyController();
      createQueues();
      useShadowDoorbells();
      findNamespaces();
      transfer();
      shutDown();
    }
  }

  private void enable() {
    assertThat(host.status()).as("on the bus").isNotEqualTo(-1);
    // One vector of any kind first: MSI-X, since there is.
    host.model.config().write(0x42, 2, 0x8000);
    long capabilities = Integer.toUnsignedLong(host.read(0)) | ((long) host.read(4) << 32);
    assertThat(capabilities & 0xffff).as("MQES").isGreaterThanOrEqualTo(IO_ENTRIES - 1);
    assertThat((capabilities >> 32) & 0xf).as("doorbell stride").isZero();
    assertThat((capabilities >> 37) & 1).as("NVM command set").isEqualTo(1);
    assertThat((capabilities >> 48) & 0xf).as("pages of 4 KiB").isZero();
    assertThat((capabilities >> 57) & 1).as("CMBS").isEqualTo(1);

    host.write(0x50, 1); // CMBMSC.CRE
    int size = host.read(0x3c);
    assertThat(size & 1).as("queues in the buffer").isEqualTo(1);
    assertThat(Integer.toUnsignedLong(size >>> 12) << 12).isEqualTo(1 << 20);
    assertThat(host.read(0x38) & 7).as("its BAR").isEqualTo(2);
    assertThat(host.read(0x38) >>> 12).as("where in the BAR").isZero();
    host.write(0x54, (int) (MEMORY_BUFFER >>> 32));
    host.write(0x50, (int) MEMORY_BUFFER | 3);

    assertThat(host.read(0x08)).as("VS").isGreaterThanOrEqualTo(0x0001_0400);
    host.configure(0);
    assertThat(host.status() & 1).isZero();
    host.admin = host.new Queues(0, 0x1000, 0x8000, ADMIN_ENTRIES);
    host.write(0x24, (ADMIN_ENTRIES - 1) | ((ADMIN_ENTRIES - 1) << 16));
    host.write(0x28, (int) host.admin.sq);
    host.write(0x2c, 0);
    host.write(0x30, (int) host.admin.cq);
    host.write(0x34, 0);
    host.configure(ENABLE & ~1);
    host.configure(ENABLE);
    assertThat(host.status()).isEqualTo(1);
  }

  private void identifyController() {
    identify(1, 0);
    String name =
        new String(
            host.memory.asSlice(DATA + 768, 223).toArray(ValueLayout.JAVA_BYTE),
            StandardCharsets.US_ASCII);
    assertThat(name).as("SUBNQN").startsWith("nqn.").contains("\0");
    assertThat(byteAt(111)).as("an I/O controller").isEqualTo(1);
    assertThat(host.memory.get(LE32, DATA + 516)).as("NN").isEqualTo(2);
    assertThat(byteAt(512)).isEqualTo(0x66);
    assertThat(byteAt(263)).as("NPSS").isZero();
    assertThat(byteAt(265)).as("no APST to be configured").isZero();
    assertThat(host.memory.get(LE32, DATA + 272)).as("no host memory wanted").isZero();
    assertThat(host.memory.get(LE16, DATA + 320)).as("no keep alive").isZero();
    assertThat(host.memory.get(LE32, DATA + 96)).as("CTRATT").isZero();
    assertThat(host.memory.get(LE16, DATA + 256) & 1).as("no security commands").isZero();
    int optionalCommands = host.memory.get(LE16, DATA + 520);
    assertThat(byteAt(261) & 2).as("LPA: effects log").isNotZero();

    // Commands supported and effects, of all namespaces; 4096 bytes in two pages
    assertThat(admin(0x02, -1, DATA + 2048, DATA + 0x1000, 5 | (1023 << 16), 0).status()).isZero();
    assertThat(host.memory.get(LE32, DATA + 2048 + 4 * 6)).as("Identify").isEqualTo(1);
    assertThat(host.memory.get(LE32, DATA + 0x1000 - 1024 + 4)).as("Write").isEqualTo(3);

    identify(6, 0); // the NVM command set's own limits: none of them
    assertThat(host.memory.get(LE64, DATA)).isZero();

    if ((optionalCommands & (1 << 6)) != 0) {
      host.memory.set(LE64, DATA, 1_800_000_000_000L);
      assertThat(admin(0x09, 0, DATA, 0, 0x0e, 0).status()).as("timestamp").isZero();
      assertThat(admin(0x0a, 0, DATA, 0, 0x0e, 0).status()).isZero();
      assertThat(host.memory.get(LE64, DATA) & ((1L << 48) - 1))
          .isBetween(1_800_000_000_000L, 1_800_000_900_000L);
    }
    // The temperature, for hwmon: SMART of all namespaces, then both thresholds
    assertThat(admin(0x02, -1, DATA, 0, 2 | (127 << 16), 0).status()).isZero();
    assertThat(byteAt(1) | (byteAt(2) << 8)).isEqualTo(323);
    assertThat(admin(0x0a, 0, 0, 0, 0x04, 0).result()).as("over").isEqualTo(343);
    assertThat(admin(0x0a, 0, 0, 0, 0x04, 1 << 20).result()).as("under").isZero();
  }

  private void createQueues() {
    int granted = admin(0x09, 0, 0, 0, 0x07, (QUEUES - 1) | ((QUEUES - 1) << 16)).result();
    assertThat(Math.min(granted & 0xffff, granted >>> 16) + 1).isGreaterThanOrEqualTo(QUEUES);
    for (int id = 1; id <= QUEUES; id++) {
      int size = id | ((IO_ENTRIES - 1) << 16);
      assertThat(admin(0x05, 0, completionQueue(id), 0, size, 3 | (id << 16)).status()).isZero();
      assertThat(admin(0x01, 0, submissionQueue(id), 0, size, 1 | (id << 16)).status()).isZero();
    }
  }

  private static long submissionQueue(int id) {
    return 0x20_0000L + id * 0x1_0000L;
  }

  private static long completionQueue(int id) {
    return 0x30_0000L + id * 0x1_0000L;
  }

  private void useShadowDoorbells() {
    host.memory.asSlice(DOORBELLS, 0x2000).fill((byte) 0);
    assertThat(admin(0x7c, 0, DOORBELLS, EVENTS, 0, 0).status()).isZero();
  }

  private void findNamespaces() {
    identify(2, 0);
    assertThat(host.memory.get(LE64, DATA)).isEqualTo(1 | (2L << 32));
    assertThat(host.memory.get(LE32, DATA + 8)).as("end of the list").isZero();
    for (int namespace = 1; namespace <= 2; namespace++) {
      identify(3, namespace);
      assertThat(byteAt(0)).as("a UUID").isEqualTo(3);
      assertThat(byteAt(1)).isEqualTo(16);
      assertThat(byteAt(21)).as("no more").isZero();
      identify(0, namespace);
      assertThat(host.memory.get(LE64, DATA + 8)).as("NCAP").isPositive();
      int format = byteAt(26) & 0xf;
      int shift = byteAt(128 + 4L * format + 2);
      assertThat(host.memory.get(LE64, DATA) << shift).isEqualTo(1 << 30);
      assertThat(host.memory.get(LE16, DATA + 128 + 4L * format)).as("no metadata").isZero();
      identify(8, namespace);
      assertThat(byteAt(14) & 1).as("ready").isEqualTo(1);
    }
    // Zoned namespaces are no command set of this controller: Linux goes on without.
    assertThat(admin(0x06, 1, DATA, 0, 5, 2 << 24).status()).isEqualTo(0x4002);
    assertThat(admin(0x02, 0, DATA, 0, 4 | (1023 << 16), 0).status()).as("changed").isZero();
    assertThat(host.memory.get(LE32, DATA)).isZero();
  }

  private void transfer() {
    for (int id = 1; id <= QUEUES; id++) {
      var queue = host.new Queues(id, submissionQueue(id), completionQueue(id), IO_ENTRIES);
      for (int i = 0; i < 3; i++) {
        host.signals.clear();
        // The doorbell in memory first, the register because the event index asks for it.
        queue.put(NvmeHost.blocks(i == 0 ? 1 : 2, 8L * id, 8));
        host.memory.set(LE32, DOORBELLS + 8L * id, queue.tail);
        assertThat(host.memory.get(LE32, EVENTS + 8L * id)).isEqualTo(queue.tail - 1);
        queue.ring();

        assertThat(host.signals).as("its own vector").containsExactly(id);
        assertThat(queue.takeAll()).hasSize(1).allMatch(each -> each.status() == 0);
        host.memory.set(LE32, DOORBELLS + 8L * id + 4, queue.head);
      }
    }
  }

  private void shutDown() {
    for (int id = QUEUES; id > 0; id--) {
      assertThat(admin(0x00, 0, 0, 0, id, 0).status()).isZero();
    }
    for (int id = QUEUES; id > 0; id--) {
      assertThat(admin(0x04, 0, 0, 0, id, 0).status()).isZero();
    }
    host.configure(ENABLE | (1 << 14));
    assertThat(host.status() & 0xc).as("shutdown complete").isEqualTo(8);
    host.model.reset();
    assertThat(host.status()).isZero();
  }

  @Test
  void worksWithoutMessagesByItsLine() {
    try (host) {
      host.enable();
      assertThat(host.line).isFalse();
      host.admin.put(new Command(0x06, 0, DATA, 0, 1, 0, 0));
      host.admin.ring();
      assertThat(host.line).isTrue();
      host.write(0x0c, 1); // the handler masks the vector until the thread has looked
      assertThat(host.line).isFalse();
      assertThat(host.admin.takeAll()).hasSize(1);
      host.admin.acknowledge();
      host.write(0x10, 1);
      assertThat(host.line).isFalse();
    }
  }
}

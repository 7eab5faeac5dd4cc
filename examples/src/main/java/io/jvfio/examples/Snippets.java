// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import module io.jvfio.nvme;
import module io.jvfio.sim;
import module io.jvfio.user;

import io.jvfio.linux.Errno;
import io.jvfio.model.edu.EduModel;
import io.jvfio.ops.Doctor;
import io.jvfio.ops.Verdict;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** What the API's documentation shows of its types; each is compiled, and run by a test. */
final class Snippets {
  private Snippets() {}

  static List<String> host(VfioHost host) {
    // @start region="host"
    for (var device : host.devices()) {
      System.out.println(device);
    }
    var probe = host.probe(List.of(), IommuPolicy.automatic());
    System.out.println("works for every group: " + probe.common());
    // @end
    return host.devices().stream().map(HostDevice::toString).toList();
  }

  static boolean doctor(VfioHost host) {
    // @start region="doctor"
    var diagnosis = Doctor.of(host).withMemory(8L << 30).examine();
    for (var finding : diagnosis.findings()) {
      if (finding.verdict() == Verdict.FAIL) {
        System.out.println(finding + finding.mend().map(mend -> " " + mend).orElse(""));
      }
    }
    // @end
    return diagnosis.isBlocked();
  }

  static void policy(VfioHost host, PciAddress address) {
    // @start region="policy"
    var policy = IommuPolicy.prefer(List.of(IommuType.TYPE1)); // and others if it does not work
    try (var device = host.open(address, policy)) {
      System.out.println(device.dmaSpace().type());
    }
    // @end
  }

  static int device(VfioHost host, PciAddress address) {
    // @start region="device"
    try (var device = host.open(address);
        var registers = device.region(0).registers();
        var memory = device.dmaSpace().allocate(1 << 20)) {
      System.out.println(memory); // memory.iova() is where the device finds it
      device.enableBusMaster(); // from here on it reads and writes what is mapped
      return registers.read32(0x1c);
    }
    // @end
  }

  static long space(DmaSpace space) {
    // @start region="space"
    try (var arena = Arena.ofShared()) {
      var own = arena.allocate(1 << 20, 65_536); // a page, with the largest ones that Linux has
      try (var mapping = space.map(own, MapOptions.anywhere().withAddressBits(32))) {
        own.set(ValueLayout.JAVA_LONG, 0, 42); // the device reads it at mapping.iova()
        return mapping.iova();
      } // unmapped before the arena frees it
    }
    // @end
  }

  static long buffer(DmaSpace space) {
    // @start region="buffer"
    var options = BufferOptions.hugePages(2 << 20).mapped(MapOptions.anywhere());
    try (var buffer = space.allocate(4 << 20, options)) {
      buffer.fallback().ifPresent(why -> System.out.println("no huge pages: " + why));
      return buffer.segment().byteSize();
    }
    // @end
  }

  static long interrupts(VfioDevice device) {
    // @start region="interrupts"
    try (var vectors = device.interrupts().enableMsix(2)) {
      vectors.vector(0).handle(count -> System.out.println(count + " signals of vector 0"));
      vectors.vector(1).trigger(); // as the device would
      return vectors.vector(1).await(Duration.ofSeconds(10));
    }
    // @end
  }

  static PciIdentity pci(VfioDevice device) {
    // @start region="pci"
    var pci = PciDevice.of(device);
    pci.bars().forEach(System.out::println);
    pci.capability(PciCapability.MsiX.class).ifPresent(System.out::println);
    return pci.identity();
    // @end
  }

  static void namespace(VfioDevice device) {
    // @start region="namespace"
    try (var controller = NvmeController.open(device)) {
      var namespace = controller.namespace(1);
      try (var buffer = device.dmaSpace().allocate(1 << 20)) {
        namespace.read(0, buffer.byteSize() / namespace.blockSize(), buffer, 0);
        namespace.writeThrough(0, 1, buffer, 0); // safe from loss of power when it returns
      }
    }
    // @end
  }

  static int queue(NvmeController controller, DmaBuffer buffer) {
    // @start region="queue"
    var namespace = controller.namespace(1);
    try (var queue = controller.openQueue()) {
      for (int i = 0; i < 8; i++) {
        queue.read(namespace, 8L * i, 8, buffer, 4096L * i, i);
      }
      queue.ring(); // one doorbell for all of them
      int done = 0;
      while (done < 8) {
        done += queue.await((token, status, result) -> check(token, status), 1_000_000_000);
      }
      return done;
    }
    // @end
  }

  private static void check(long token, int status) {
    if (status != 0) {
      throw new IllegalStateException("command %d: status 0x%x".formatted(token, status));
    }
  }

  static int channel(NvmeNamespace namespace) throws IOException {
    // @start region="channel"
    try (var file = namespace.openChannel(READ, WRITE)) {
      file.write(ByteBuffer.wrap(new byte[1000]), 12_345);
      file.force(true);
      return file.read(ByteBuffer.allocate(100), 12_345);
    }
    // @end
  }

  static int served(Path socket) {
    // @start region="server"
    try (var _ = VfioUserServer.serve(new EduModel(), socket)) {
      return client(socket); // or awaitClose(), in a program that does nothing else
    }
    // @end
  }

  private static int client(Path socket) {
    // @start region="client"
    try (var device = VfioUser.open(socket);
        var registers = device.region(0).registers()) {
      return registers.read32(0);
    }
    // @end
  }

  static PciFunction function(long[] values) {
    // @start region="function"
    var registers =
        RegisterMap.builder("timer", 4096)
            .readWrite("count", 0x00, 8, () -> values[0], value -> values[0] = value)
            .readOnly("version", 0x08, 4, () -> 1)
            .build();
    return PciFunction.builder(0x1234, 0x0001, 0xff0000).memory(0, registers).msix(1, 4).build();
    // @end
  }

  static VfioException simulated(String name) {
    // @start region="simulated"
    try (var simulated = SimulatedHosts.open(name)) {
      var kernel = new FaultInjector(simulated.kernel());
      var host = VfioHost.of(name, kernel);
      var nvme = host.devices().stream().filter(one -> one.isBoundToVfio()).findFirst();
      kernel.failEvery("VFIO_SET_IOMMU", Errno.ENOMEM);
      try (var device = host.open(nvme.orElseThrow().address())) {
        throw new AssertionError(device + " is open");
      } catch (VfioException e) {
        return e; // names the call, the group, ENOMEM, what it means and what to do
      }
    }
    // @end
  }
}

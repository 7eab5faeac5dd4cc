// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.DmaMapping;
import io.jvfio.DmaSpace;
import io.jvfio.HostDevice;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.LiveMapping;
import io.jvfio.PciAddress;
import io.jvfio.Sharing;
import io.jvfio.VfioGroups;
import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.Resources;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The DMA space of one or both groups of a simulated host, where every call of the kernel is
 * recorded and can be made to fail, and where devices are copy engines.
 */
final class OpenSpace implements AutoCloseable {
  /** Hosts and types that translate addresses, as arguments of parameterized tests. */
  static final List<String> TRANSLATING =
      List.of(
          "x86-6.12 type1v2",
          "x86-6.12 type1",
          "x86-6.12-iommufd iommufd",
          "pseries-5.10 spapr-tce",
          "pseries-6.8 spapr-tce",
          "pseries-6.12 spapr-tce",
          "pseries-6.12 spapr-tce-v2",
          "powernv-5.10 spapr-tce-v2",
          "powernv-6.12 spapr-tce-v2");

  private static final int ENGINE_BYTES = 1 << 20;

  final SimulatedHost host;
  final FaultInjector injector;
  final Resources before;
  final VfioGroups groups;
  final DmaSpace space;
  final Map<String, CopyEngine> engines;
  private final List<DmaMapping> kept = new ArrayList<>();

  private OpenSpace(
      SimulatedHost host,
      FaultInjector injector,
      Resources before,
      VfioGroups groups,
      Map<String, CopyEngine> engines) {
    this.host = host;
    this.injector = injector;
    this.before = before;
    this.groups = groups;
    this.space = groups.dmaSpace();
    this.engines = engines;
  }

  /** Options under which nothing but the test decides what may be locked. */
  static HostOptions unlimited() {
    return HostOptions.defaults().withLockedMemoryLimit(Kernel.NO_LIMIT);
  }

  /** Opens the first group, such as of {@code "x86-6.12 type1v2"}. */
  static OpenSpace open(String hostAndType) {
    return open(hostAndType, unlimited(), 1);
  }

  static OpenSpace open(String hostAndType, HostOptions options, int groupCount) {
    var name = hostAndType.substring(0, hostAndType.indexOf(' '));
    var type = IommuType.of(hostAndType.substring(name.length() + 1));
    var engines = new TreeMap<String, CopyEngine>();
    try (var look = SimulatedHosts.open(name)) {
      VfioHost.of(name, look.kernel()).devices().stream()
          .filter(HostDevice::isBoundToVfio)
          .forEach(
              device -> engines.put(device.address().toString(), new CopyEngine(ENGINE_BYTES)));
    }
    var host = SimulatedHosts.open(name, options.withModels(engines::get));
    var injector = new FaultInjector(host.kernel());
    var before = host.resources();
    var vfio = VfioHost.of("sim:" + name, injector);
    var bound =
        vfio.groups().stream()
            .filter(group -> group.isBoundToVfio())
            .map(group -> group.id())
            .limit(groupCount)
            .toList();
    assertThat(bound).hasSize(groupCount);
    var groups = vfio.openGroups(bound, IommuPolicy.require(type), Sharing.WHERE_POSSIBLE);
    return new OpenSpace(host, injector, before, groups, engines);
  }

  /** The calls that {@code action} makes, as their names. */
  List<String> callsOf(Runnable action) {
    int from = injector.calls().size();
    action.run();
    var calls = injector.calls();
    return calls.subList(from, calls.size()).stream().map(FaultInjector.Call::operation).toList();
  }

  /** The ioctls, mmap and mlock calls that {@code action} makes, without those that only look. */
  List<String> changesOf(Runnable action) {
    return callsOf(action).stream()
        .filter(call -> call.startsWith("VFIO") || call.startsWith("IOMMU") || call.equals("mlock"))
        .toList();
  }

  /**
   * Space and kernel agree on what is mapped: no device reaches what is not listed, and what is
   * listed as mapped is mapped in at least one container.
   */
  void checkAgreement(String what) {
    long listed =
        space.layout().mappings().stream()
            .filter(LiveMapping::mapped)
            .mapToLong(LiveMapping::byteSize)
            .sum();
    long actual = host.resources().dmaMappedBytes();
    if (space.type() == IommuType.NOIOMMU) {
      assertThat(actual).as(what).isZero();
    } else {
      assertThat(actual).as(what).isBetween(listed, listed * groups.domains());
    }
  }

  /** The devices of all groups, as engines ready to copy. */
  List<Engine> devices() {
    var opened = new ArrayList<Engine>();
    for (var group : groups.info()) {
      for (var device : group.devices()) {
        if (device.isBoundToVfio()) {
          opened.add(new Engine(device.address()));
        }
      }
    }
    return opened;
  }

  /** An engine behind the IOMMU. */
  final class Engine {
    private final CopyEngine model;
    private final Registers registers;

    private Engine(PciAddress address) {
      this.model = requireNonNull(engines.get(address.toString()));
      var device = groups.device(address);
      device.enableBusMaster();
      this.registers = device.region(0).registers();
    }

    /** Writes bytes of one value to memory; whether the IOMMU let it. */
    boolean write(long iova, long byteSize, int value) {
      model.buffer.asSlice(0, byteSize).fill((byte) value);
      return transfer(CopyEngine.WRITE_MEMORY, iova, byteSize);
    }

    /** Reads memory into {@link #byteAt}; whether the IOMMU let it. */
    boolean read(long iova, long byteSize) {
      return transfer(CopyEngine.READ_MEMORY, iova, byteSize);
    }

    int byteAt(long offset) {
      return model.buffer.get(ValueLayout.JAVA_BYTE, offset);
    }

    private boolean transfer(long command, long iova, long byteSize) {
      registers.write64(CopyEngine.IOVA, iova);
      registers.write64(CopyEngine.LENGTH, byteSize);
      registers.write64(CopyEngine.COMMAND, command);
      return registers.read64(CopyEngine.STATUS) == 0;
    }
  }

  /** The call that unmaps. */
  String unmapCall() {
    return space.type() == IommuType.IOMMUFD ? "IOMMU_IOAS_UNMAP" : "VFIO_IOMMU_UNMAP_DMA";
  }

  /** Keeps a mapping from being told as a leak, until the space is closed. */
  void keep(DmaMapping mapping) {
    kept.add(mapping);
  }

  /** Closes everything, and proves that nothing leaked. */
  @Override
  public void close() {
    try (host) {
      injector.failNone();
      groups.close();
      kept.clear();
      assertThat(host.resources()).isEqualTo(before);
    }
  }
}

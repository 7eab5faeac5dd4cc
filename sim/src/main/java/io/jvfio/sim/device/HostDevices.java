// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.iommu.HostIommu;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The devices of a host and their groups. Its methods are called with the process's lock held. */
public final class HostDevices {
  /** The bridge above controllers that are added below one. */
  private static final String BRIDGE = "0000:00:1e.0";

  private final HostProcess process;
  private final Observer observer;
  private final List<VfioGroup> groups = new ArrayList<>();
  private final List<HostDevice> devices = new ArrayList<>();
  private final Releases releases = new Releases(this);
  private final HostIommu iommu;

  /** An observer, who is told what happens to devices. */
  public interface Observer {
    /** A device did not get to memory at {@code iova}. */
    void blocked(String device, long iova, boolean write, String reason);

    /** Devices, groups or drivers have changed. */
    void changed();
  }

  /** The devices that the process's host is described with, and what its settings add. */
  public HostDevices(HostProcess process, Observer observer) {
    this.process = process;
    this.observer = observer;
    this.iommu = new HostIommu(process, groups);
    var settings = process.settings();
    for (var group : process.description().groups()) {
      if (!group.isNoIommu() || settings.vfioLoaded) {
        add(group);
      }
    }
    for (var function : process.description().functions()) {
      add(function);
    }
    for (var sibling : settings.siblings) {
      var besides = device(sibling.besides());
      if (sibling.kind() == HostSettings.Sibling.Kind.SHARES_GROUP) {
        add(networkCard(sibling, besides.description()));
        continue;
      }
      var added = add(controller(sibling, besides.description()));
      if (sibling.kind() == HostSettings.Sibling.Kind.IS_VIRTUAL) {
        added.becomeVirtualFunctionOf(besides);
      }
    }
  }

  private void add(HostDescription.Group group) {
    boolean heldElsewhere = process.settings().holders.containsKey(group.id());
    groups.add(new VfioGroup(group, iommu.newTables(), heldElsewhere));
  }

  private HostDevice add(HostDescription.Function function) {
    var settings = process.settings();
    boolean taken = settings.vfioLoaded || !HostDevice.isVfio(function.driver());
    var driver = taken ? function.driver() : null;
    if (HostDevice.isVfio(driver) && settings.migratable.contains(function.address())) {
      driver = VariantDriver.NAME;
    }
    int number = (int) devices.stream().filter(HostDevice::isVfio).count();
    var model = settings.models.apply(function.address());
    var device = new HostDevice(this, function, driver, model, number);
    for (var group : groups) {
      if (group.id() == function.group()) {
        device.join(group);
      }
    }
    devices.add(device);
    return device;
  }

  /** A controller in a group of its own, which has the reserved addresses of another's. */
  private HostDescription.Function controller(
      HostSettings.Sibling sibling, HostDescription.Function besides) {
    int id = 1 + groups.stream().mapToInt(VfioGroup::id).max().orElse(-1);
    var like =
        groups.stream().filter(group -> group.id() == besides.group()).findFirst().orElseThrow();
    add(new HostDescription.Group(id, like.description().name(), like.description().reserved()));
    return new HostDescription.Function(
        sibling.address(),
        sibling.kind() == HostSettings.Sibling.Kind.BELOW_BRIDGE
            ? List.of(BRIDGE)
            : besides.parents(),
        besides.vendor(),
        besides.device(),
        besides.classCode(),
        besides.revision(),
        besides.command(),
        besides.irq(),
        id,
        sibling.driver(),
        "at " + sibling.address(),
        List.of(),
        null);
  }

  /** A network card of a host driver's, in the group of another device. */
  private static HostDescription.Function networkCard(
      HostSettings.Sibling sibling, HostDescription.Function besides) {
    return new HostDescription.Function(
        sibling.address(),
        besides.parents(),
        0x8086,
        0x10d3,
        0x020000,
        0,
        0x0107,
        11,
        besides.group(),
        sibling.driver(),
        null,
        List.of(),
        null);
  }

  public HostProcess process() {
    return process;
  }

  public HostIommu iommu() {
    return iommu;
  }

  Observer observer() {
    return observer;
  }

  public List<VfioGroup> groups() {
    return Collections.unmodifiableList(groups);
  }

  void remove(VfioGroup group) {
    groups.remove(group);
  }

  public List<HostDevice> devices() {
    return Collections.unmodifiableList(devices);
  }

  void remove(HostDevice device) {
    devices.remove(device);
  }

  /**
   * The device at an address.
   *
   * @throws IllegalArgumentException if there is none
   */
  public HostDevice device(String address) {
    return devices.stream()
        .filter(device -> device.address().equals(address))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "host " + process.description().name() + " has no device " + address));
  }

  /** Pulls a device out; done when the kernel has let go of it. */
  public CompletableFuture<Void> pull(String address) {
    var device = device(address);
    device.pull();
    return releases.join(device);
  }

  /**
   * Takes a device from its driver; done when the driver has let go of it.
   *
   * @throws IllegalStateException if it has no driver, or is being taken from it
   */
  public CompletableFuture<Void> unbind(String address) {
    var device = device(address);
    if (device.driver() == null || device.isReleasing()) {
      throw new IllegalStateException(
          "device " + address + (device.isReleasing() ? " is being unbound" : " has no driver"));
    }
    return releases.begin(device);
  }

  /** Lets devices go that nobody uses any more. To be called when files may have been closed. */
  public void settle() {
    releases.settle();
  }

  /** Ends all devices for good. */
  public void close() {
    devices.forEach(HostDevice::close);
  }
}

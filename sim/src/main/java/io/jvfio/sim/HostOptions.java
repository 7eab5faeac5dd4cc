// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Kernel;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.MigratableModel;
import io.jvfio.sim.setup.HostSettings;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The options that a simulated host is opened with: the rights and limits of the process, and what
 * stands in its way. Immutable; each {@code with} method returns a changed copy.
 */
public final class HostOptions {
  private static final int NOBODY = 65534;

  private final HostSettings settings;

  private HostOptions(HostSettings settings) {
    this.settings = settings;
  }

  /** What {@code settings} say. */
  static HostOptions of(HostSettings settings) {
    return new HostOptions(settings);
  }

  /**
   * The options of root with every capability, 8 MiB of lockable memory, and nothing in the way.
   */
  public static HostOptions defaults() {
    return new HostOptions(new HostSettings());
  }

  /**
   * The options of a user without any capability, who can lock 64 KiB and may not open a group's
   * node unless {@link #withGroupAccess()} is given too.
   */
  public static HostOptions unprivileged() {
    return defaults()
        .with(
            settings -> {
              settings.uid = NOBODY;
              settings.capabilities = 0;
              settings.lockedMemoryLimit = 64 << 10;
            });
  }

  /**
   * With a user id.
   *
   * @param uid 0 for root
   */
  public HostOptions withUid(int uid) {
    return with(settings -> settings.uid = uid);
  }

  /** With {@code capability}. */
  public HostOptions withCapability(Capability capability) {
    return with(settings -> settings.capabilities |= capability.bit());
  }

  /** Without {@code capability}. */
  public HostOptions withoutCapability(Capability capability) {
    return with(settings -> settings.capabilities &= ~capability.bit());
  }

  /**
   * With a soft {@code RLIMIT_MEMLOCK}.
   *
   * @param bytes a limit, or {@link Kernel#NO_LIMIT}
   */
  public HostOptions withLockedMemoryLimit(long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("a limit on locked memory cannot be negative: " + bytes);
    }
    return with(settings -> settings.lockedMemoryLimit = bytes);
  }

  /**
   * With a soft {@code RLIMIT_NOFILE}.
   *
   * @param files how many descriptors may be open, at least 3, for those are
   */
  public HostOptions withOpenFileLimit(int files) {
    if (files < 3) {
      throw new IllegalArgumentException("three files are open from the start, limit " + files);
    }
    return with(settings -> settings.openFileLimit = files);
  }

  /** With a process id. */
  public HostOptions withPid(int pid) {
    return with(settings -> settings.pid = pid);
  }

  /** With the nodes of the groups open to every user, as a udev rule does. */
  public HostOptions withGroupAccess() {
    return with(settings -> settings.groupAccess = true);
  }

  /** Without the vfio modules: there is no {@code /dev/vfio}, and no device is bound to them. */
  public HostOptions withoutVfio() {
    return with(settings -> settings.vfioLoaded = false);
  }

  /** Without an IOMMU driver for VFIO: containers open, and know no type. */
  public HostOptions withoutIommuDriver() {
    return with(settings -> settings.iommuDriverLoaded = false);
  }

  /** Without interrupt remapping, so that Type1 takes no group. */
  public HostOptions withoutInterruptIsolation() {
    return with(settings -> settings.interruptsIsolated = false);
  }

  /** With an IOMMU that tracks dirty pages, for hosts that have iommufd. */
  public HostOptions withDirtyTracking() {
    return with(settings -> settings.tracksDirtyPages = true);
  }

  /** With the {@code dma_entry_limit} of {@code vfio_iommu_type1}. */
  public HostOptions withDmaEntryLimit(int mappings) {
    return with(settings -> settings.dmaEntryLimit = mappings);
  }

  /**
   * With that many interrupt vectors for each device; more cannot be had.
   *
   * @param vectors zero or more
   */
  public HostOptions withInterruptVectors(int vectors) {
    if (vectors < 0) {
      throw new IllegalArgumentException("a device cannot have " + vectors + " vectors");
    }
    return with(settings -> settings.interruptVectors = vectors);
  }

  /**
   * With a pool of huge pages; without one there are none.
   *
   * @param pageSize the size of a page in bytes, one that the host's architecture has
   * @param count how many there are, zero or more
   */
  public HostOptions withHugePages(long pageSize, int count) {
    if (count < 0) {
      throw new IllegalArgumentException("a pool cannot have " + count + " huge pages");
    }
    return with(
        settings -> {
          var pools = new TreeMap<>(settings.hugePages);
          pools.put(pageSize, count);
          settings.hugePages = Map.copyOf(pools);
        });
  }

  /**
   * With one more function, which a host driver owns and which makes its group not viable.
   *
   * @param address its address, such as {@code 0000:00:01.1}
   * @param besides the address of the device in whose group it is
   * @param driver the host driver's name
   */
  public HostOptions withSibling(String address, String besides, String driver) {
    return with(
        new HostSettings.Sibling(address, besides, driver, HostSettings.Sibling.Kind.SHARES_GROUP));
  }

  /**
   * With one more NVMe controller, on the bus of another device and in a group of its own: what a
   * reset of the bus hits too.
   *
   * @param address its address, such as {@code 0000:01:00.1}
   * @param besides the address of the device on whose bus it is
   * @param driver its driver, such as {@code vfio-pci} or {@code nvme}
   */
  public HostOptions withNeighbour(String address, String besides, String driver) {
    return with(
        new HostSettings.Sibling(address, besides, driver, HostSettings.Sibling.Kind.SHARES_BUS));
  }

  /**
   * With one more NVMe controller for {@code vfio-pci}, below a bridge that can reset its bus.
   *
   * @param address its address, such as {@code 0000:02:00.0}
   * @param like the address of a device that is behind the same IOMMU
   */
  public HostOptions withControllerBelowBridge(String address, String like) {
    return with(
        new HostSettings.Sibling(
            address, like, "vfio-pci", HostSettings.Sibling.Kind.BELOW_BRIDGE));
  }

  /**
   * With one more NVMe controller that is a virtual function of another device, both with {@code
   * vfio-pci}: whoever opens it must know the token of the physical function.
   *
   * @param address its address, such as {@code 0000:00:01.4}
   * @param physical the address of the physical function
   */
  public HostOptions withVirtualFunction(String address, String physical) {
    return with(
        new HostSettings.Sibling(
            address, physical, "vfio-pci", HostSettings.Sibling.Kind.IS_VIRTUAL));
  }

  private HostOptions with(HostSettings.Sibling sibling) {
    return with(
        settings -> {
          var siblings = new ArrayList<>(settings.siblings);
          siblings.add(sibling);
          settings.siblings = List.copyOf(siblings);
        });
  }

  /**
   * With a vendor's own VFIO driver at a device, which can migrate it and log its writes. The
   * device needs a {@link MigratableModel}, and the host a kernel of 6.8 or later.
   *
   * @param address the device's address
   * @param peerToPeer whether the driver can stop DMA to other devices first
   * @param preCopy whether it can copy while the device runs; both are the same for all devices
   */
  public HostOptions withMigration(String address, boolean peerToPeer, boolean preCopy) {
    return with(
        settings -> {
          var migratable = new TreeSet<>(settings.migratable);
          migratable.add(address);
          settings.migratable = Set.copyOf(migratable);
          settings.peerToPeer = peerToPeer;
          settings.preCopy = preCopy;
        });
  }

  /** With group {@code group} open in another process. */
  public HostOptions withGroupHeldBy(int group, int pid, String command) {
    return with(
        settings -> {
          var holders = new TreeMap<>(settings.holders);
          holders.put(group, new HostSettings.Holder(pid, command));
          settings.holders = Map.copyOf(holders);
        });
  }

  /**
   * With other models in the place of the host's own.
   *
   * @param models gives the model for a device's address, or null to keep the host's
   */
  public HostOptions withModels(Function<String, @Nullable DeviceModel> models) {
    requireNonNull(models);
    return with(settings -> settings.models = models);
  }

  private HostOptions with(Consumer<HostSettings> change) {
    var changed = settings.clone();
    change.accept(changed);
    return new HostOptions(changed);
  }

  /** What they say, for the host itself. */
  HostSettings settings() {
    return settings;
  }

  @Override
  public String toString() {
    return settings.toString();
  }
}

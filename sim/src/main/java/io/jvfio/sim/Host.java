package io.jvfio.sim;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A host at run time: its hardware, its kernel's state, and the one process on it. Its monitor is
 * the lock of everything; system calls, register accesses and DMA all hold it.
 */
final class Host {
  /** The bridge above controllers that are added below one. */
  private static final String BRIDGE = "0000:00:1e.0";

  private final HostDescription description;
  private final HostOptions options;
  private final FileTable files;
  private final ProcessMemory memory;
  private final LockedMemory locked;
  private final LockedMemory lockedByUser;
  private final List<Iommufd> iommufds = new ArrayList<>();
  private final DmaTranslation physicalMemory = new NoIommuDriver(this);
  private final HugePages hugePages;
  private final PreregisteredMemory preregistered;
  private final List<VfioGroup> groups = new ArrayList<>();
  private final List<HostDevice> devices = new ArrayList<>();
  private final List<IommuDriver> iommuDrivers;
  private final List<IommuFault> faults = new ArrayList<>();
  private final Releases releases = new Releases(this);
  private HostFiles tree;

  private boolean closed;

  /** Bytes that iommufd has pinned: {@code VmPin} of the process. */
  long pinnedByIommufd;

  Host(HostDescription description, HostOptions options) {
    this.description = description;
    this.options = options;
    this.files = new FileTable(options.openFileLimit());
    this.locked = new LockedMemory(description.pageSize(), options);
    this.lockedByUser = new LockedMemory(description.pageSize(), options);
    this.hugePages = new HugePages(description, options);
    this.memory = new ProcessMemory(description.pageSize(), locked, hugePages);
    this.preregistered = new PreregisteredMemory(memory, locked, description.pageSize());
    this.iommuDrivers =
        options.iommuDriverLoaded() ? description.platform().drivers(this) : List.of();
    for (var group : description.groups()) {
      boolean noIommu = group.isNoIommu();
      if (!noIommu || options.vfioLoaded()) {
        groups.add(new VfioGroup(group, noIommu, description.platform().tables(description.era())));
      }
    }
    for (var function : description.functions()) {
      add(function);
    }
    for (var sibling : options.siblings()) {
      var besides = device(sibling.besides());
      if (sibling.kind() == HostOptions.Sibling.Kind.SHARES_GROUP) {
        add(sibling(sibling, besides.description()));
        continue;
      }
      var added = add(controller(sibling, besides.description()));
      if (sibling.kind() == HostOptions.Sibling.Kind.IS_VIRTUAL) {
        added.physical = besides;
        besides.token = UUID.randomUUID();
      }
    }
    for (var group : groups) {
      group.heldElsewhere = options.holders().containsKey(group.id());
    }
    this.tree = new HostFiles(this);
  }

  /** What somebody waits for. */
  interface Condition {
    boolean holds();
  }

  /**
   * Waits, without holding up anybody else, until a condition holds. As a system call it takes no
   * notice of an interrupted thread.
   *
   * @param timeoutMillis how long; without limit if it is negative
   * @return false if the time is over, or the host is closed
   */
  synchronized boolean await(Condition condition, int timeoutMillis) {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    boolean interrupted = false;
    try {
      while (!closed && !condition.holds()) {
        long left = deadline - System.nanoTime();
        if (timeoutMillis >= 0 && left <= 0) {
          return false;
        }
        try {
          if (timeoutMillis < 0) {
            wait();
          } else {
            TimeUnit.NANOSECONDS.timedWait(this, left);
          }
        } catch (InterruptedException _) {
          interrupted = true;
        }
      }
      return !closed;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Has all who wait look again. */
  synchronized void wakeWaiters() {
    notifyAll();
  }

  boolean isClosed() {
    return closed;
  }

  private HostDevice add(HostDescription.Function function) {
    boolean taken = options.vfioLoaded() || !HostDevice.isVfio(function.driver());
    var driver = taken ? function.driver() : null;
    if (HostDevice.isVfio(driver) && options.isMigratable(function.address())) {
      driver = VariantDriver.NAME;
    }
    int number = (int) devices.stream().filter(HostDevice::isVfio).count();
    var device =
        new HostDevice(this, function, driver, options.modelFor(function.address()), number);
    for (var group : groups) {
      if (group.id() == function.group()) {
        group.devices.add(device);
        device.group = group;
      }
    }
    devices.add(device);
    return device;
  }

  /** A controller in a group of its own, which has the reserved addresses of another's. */
  private HostDescription.Function controller(
      HostOptions.Sibling sibling, HostDescription.Function besides) {
    int id = 1 + groups.stream().mapToInt(VfioGroup::id).max().orElse(-1);
    var like =
        groups.stream().filter(group -> group.id() == besides.group()).findFirst().orElseThrow();
    groups.add(
        new VfioGroup(
            new HostDescription.Group(id, like.description.name(), like.description.reserved()),
            like.noIommu,
            description.platform().tables(description.era())));
    return new HostDescription.Function(
        sibling.address(),
        sibling.kind() == HostOptions.Sibling.Kind.BELOW_BRIDGE
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
  private static HostDescription.Function sibling(
      HostOptions.Sibling sibling, HostDescription.Function besides) {
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

  HostDescription description() {
    return description;
  }

  HostOptions options() {
    return options;
  }

  FileTable files() {
    return files;
  }

  ProcessMemory memory() {
    return memory;
  }

  LockedMemory locked() {
    return locked;
  }

  /** What counts against the limit of the process's user, over all of his processes. */
  LockedMemory lockedByUser() {
    return lockedByUser;
  }

  /** The iommufds that are open. */
  List<Iommufd> iommufds() {
    return iommufds;
  }

  /** What a device reaches that no IOMMU covers. */
  DmaTranslation physicalMemory() {
    return physicalMemory;
  }

  /** Whether the kernel can do without an IOMMU, and was told to. */
  boolean hasNoIommuDriver() {
    return description.groups().stream().anyMatch(HostDescription.Group::isNoIommu);
  }

  /** The IOMMU if it is one that Type1 and iommufd drive, or null. */
  IommuPlatform.@Nullable Paging paging() {
    return description.platform() instanceof IommuPlatform.Paging paging ? paging : null;
  }

  HugePages hugePages() {
    return hugePages;
  }

  PreregisteredMemory preregistered() {
    return preregistered;
  }

  List<VfioGroup> groups() {
    return groups;
  }

  List<HostDevice> devices() {
    return devices;
  }

  List<IommuDriver> iommuDrivers() {
    return iommuDrivers;
  }

  HostFiles tree() {
    return tree;
  }

  /** What the kernel takes from its drivers at this moment. */
  Releases releases() {
    return releases;
  }

  /** Devices or their drivers have changed. */
  void rebuildFiles() {
    tree = new HostFiles(this);
  }

  /**
   * A device of this host.
   *
   * @throws IllegalArgumentException if there is none at this address
   */
  HostDevice device(String address) {
    return devices.stream()
        .filter(device -> device.address().equals(address))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "host " + description.name() + " has no device " + address));
  }

  void record(IommuFault fault) {
    faults.add(fault);
  }

  List<IommuFault> faults() {
    return List.copyOf(faults);
  }

  Resources resources() {
    long mapped = 0;
    int attached = 0;
    var counted = new ArrayList<Container>();
    for (var group : groups) {
      var container = group.container;
      if (group.isAttached()) {
        attached++;
      }
      if (container != null) {
        if (!counted.contains(container)) {
          counted.add(container);
          mapped += container.mappedBytes();
        }
      }
    }
    for (var iommufd : iommufds) {
      mapped += iommufd.mappedBytes();
    }
    int open = 0;
    int interrupts = 0;
    var drivers = new TreeMap<String, String>();
    for (var device : devices) {
      if (device.open != null) {
        open++;
        interrupts += device.open.interrupts().inUse() + device.open.ioEvents().count();
      }
      drivers.put(device.address(), device.driver == null ? "" : device.driver);
    }
    return new Resources(
        files.openCount(),
        memory.count(true),
        memory.count(false),
        mapped,
        locked.bytes(),
        hugePages.takenBytes(),
        open,
        interrupts,
        attached,
        drivers);
  }

  /** Ends the process and its devices. */
  synchronized void close() {
    closed = true;
    notifyAll();
    files.closeAll();
    memory.unmapAll();
    devices.forEach(HostDevice::close);
  }
}

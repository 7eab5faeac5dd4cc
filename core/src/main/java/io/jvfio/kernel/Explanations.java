// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.DeviceFeature;
import io.jvfio.IommuGroup;
import io.jvfio.IommuType;
import io.jvfio.IrqInfo;
import io.jvfio.PciAddress;
import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.spi.Explanation;
import java.util.Map;
import java.util.Optional;

/**
 * Says what the kernel's answers mean on the way to a working IOMMU, and what to do. Here are the
 * sentences for errors that several calls have in common, or that take knowledge of the host; a
 * sentence that belongs to one rule stands beside that rule.
 *
 * <p>Source of the rules: {@code
 * drivers/vfio/{container,group,vfio_main,vfio_iommu_type1,vfio_iommu_spapr_tce}.c} and {@code
 * arch/powerpc/platforms/{pseries,powernv}}.
 */
public final class Explanations {
  private static final String REPORT =
      "Run with --json and report the whole output together with dmesg.";

  private final HostFacts facts;
  private final GroupAdvice groups;

  public Explanations(HostFacts facts) {
    this.facts = facts;
    this.groups = new GroupAdvice(facts);
  }

  /** What they rest on. */
  public HostFacts facts() {
    return facts;
  }

  /** Whether {@code errno} tells of something to mend, and not of an IOMMU type that is missing. */
  static boolean isForUserToMend(Errno errno) {
    return errno.equals(Errno.ENOMEM)
        || errno.equals(Errno.EBUSY)
        || errno.equals(Errno.EACCES)
        || errno.equals(Errno.EMFILE)
        || errno.equals(Errno.ENFILE);
  }

  /** {@code open("/dev/vfio/vfio")}. */
  public Explanation openContainer(Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.ENOENT,
            new Explanation(
                "This machine has no VFIO containers: the vfio module is not loaded, or the kernel has only iommufd.",
                "Load it with 'modprobe vfio-pci', or run 'jvfio demo' to see jvfio at work on a simulated host."),
            Errno.EACCES,
            new Explanation(
                "This user may not open the container node.",
                "Let the user's group in with 'chgrp GROUP /dev/vfio/vfio && chmod 0660 /dev/vfio/vfio', or a udev"
                    + " rule to the same effect."),
            Errno.ENODEV,
            new Explanation(
                "The node is there and no driver answers it: the vfio module could not be loaded.",
                "Look for the reason in 'modprobe vfio; dmesg | tail'.")));
  }

  /** {@code open("/dev/iommu")}. */
  public static Explanation openIommufd(Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.ENOENT,
            new Explanation(
                "The kernel has no iommufd, or its module is not loaded.",
                "Load it with 'modprobe iommufd'; where the kernel has none, containers do the same."),
            Errno.EACCES,
            new Explanation(
                "This user may not open iommufd.",
                "Let the user's group in with 'chgrp GROUP /dev/iommu && chmod 0660 /dev/iommu', or a udev rule to"
                    + " the same effect.")));
  }

  /** {@code open("/dev/vfio/devices/vfioN")}. */
  public Explanation openDeviceNode(String node, Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.EACCES,
            new Explanation(
                "This user may not open the device.",
                "Let the user in with 'chown USER %s', or a udev rule to the same effect."
                    .formatted(node)),
            Errno.ENOENT,
            new Explanation(
                "The node is missing, though sysfs tells of it: nothing has made the nodes of"
                    + " /dev/vfio/devices here, as in a container without them.",
                "Make the node visible to this process, or forbid iommufd and use the group."),
            Errno.ENODEV,
            new Explanation(
                "The device has just left its VFIO driver.", "Bind it to vfio-pci again.")));
  }

  /** BIND_IOMMUFD or ATTACH_IOMMUFD_PT of the device behind {@code node}. */
  public Explanation useDeviceNode(String node, Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.EBUSY,
            new Explanation(
                "The device or its group is in use already"
                    + facts.holder(node).map(holder -> " in process " + holder).orElse("")
                    + "; a group opened through /dev/vfio/N keeps its devices from being opened this way.",
                "End that process, or close the device there; 'fuser -v %s /dev/vfio/*' lists who has it open."
                    .formatted(node)),
            Errno.EPERM,
            new Explanation(
                "Somebody else owns DMA of this group, or the IOMMU does not isolate message-signalled interrupts.",
                "Look at the drivers of the group's devices with 'jvfio list'; where every user is trusted, load"
                    + " iommufd with allow_unsafe_interrupts=1."),
            Errno.EACCES,
            new Explanation(
                "The device is a virtual function, and the VF token is missing or another one.",
                "Ask the owner of the physical function for it, and give it with VfioHost.withVfToken."),
            Errno.EADDRINUSE,
            new Explanation(
                "Memory is mapped at addresses that this device reserves, such as those of its interrupts.",
                "Open all devices of a space before anything is mapped."),
            Errno.EINVAL,
            new Explanation(
                "The device is open already, or its IOMMU does not keep caches coherent or cannot take this page table.",
                "Look for the reason in dmesg.")));
  }

  /** {@code open("/dev/vfio/N")}. */
  public Explanation openGroup(IommuGroup group, Errno errno) {
    var bind = GroupAdvice.bindOneOf(group);
    return explain(
        errno,
        Map.of(
            Errno.ENOENT,
            new Explanation(
                "No device of the group is bound to a VFIO driver, so the group has no node.",
                bind),
            Errno.ENODEV,
            new Explanation("The last device of the group has just left its VFIO driver.", bind),
            Errno.EACCES,
            new Explanation(
                "This user may not open the group.",
                "Let the user in with 'chown USER %s', or a udev rule to the same effect."
                    .formatted(group.node())),
            Errno.EPERM,
            new Explanation(
                "A group without an IOMMU gives its user all of memory, so the kernel asks for CAP_SYS_RAWIO.",
                "Run as root, or give the process that capability."),
            Errno.EBUSY,
            new Explanation(
                "The group is open already"
                    + facts.holder(group.node()).map(holder -> " in process " + holder).orElse("")
                    + "; only one process at a time can hold it.",
                "End that process, or close the device there; 'fuser -v %s' lists who has it open."
                    .formatted(group.node()))));
  }

  /** {@code VFIO_GROUP_SET_CONTAINER}. */
  public Explanation setContainer(IommuGroup group, Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.EPERM,
            group.isViable()
                ? new Explanation(
                    "Somebody else owns DMA of this group, or a group with an IOMMU was put together with one without.",
                    "Look at the drivers of the group's devices with 'jvfio list'.")
                : GroupAdvice.notViable(group),
            Errno.EBUSY,
            new Explanation(
                "The IOMMU still holds mappings of the host for this group, or a domain that VFIO does not know.",
                "Unbind the group's devices from their drivers and bind them to vfio-pci again."),
            Errno.EINVAL,
            new Explanation(
                "The group is in a container already, or its IOMMU driver does not support user space.",
                "On POWER, Linux 5.19 to 6.3 cannot do VFIO at all; the kernel here is "
                    + facts.kernelRelease()
                    + ".")));
  }

  /** {@code VFIO_SET_IOMMU}: why {@code type}, though advertised, is not to be had. */
  public Explanation setIommu(IommuType type, Errno errno) {
    if (isForUserToMend(errno)) {
      return memory(errno, 0, "setting IOMMU type " + type);
    }
    boolean isForbidden = errno.equals(Errno.EPERM);
    return switch (type) {
      case SPAPR_TCE_V2 ->
          new Explanation(
              "The kernel's sPAPR driver advertises version 2 on every POWER machine; this platform"
                  + (errno.equals(Errno.EINVAL)
                      ? " offers it no dynamic windows (pSeries, Linux 6.4 to 6.10), so it cannot be set."
                      : " cannot hand its tables over to user space (pSeries before Linux 6.4), so it cannot be set."),
              "Version 1 is the one to use here.");
      case SPAPR_TCE ->
          new Explanation(
              "The kernel's sPAPR driver advertises version 1 on every POWER machine; this platform hands over whole"
                  + " tables (bare-metal POWER8 and later, before Linux 6.4), which only version 2 can take.",
              "Version 2 is the one to use here.");
      case TYPE1_NESTING ->
          new Explanation(
              "The kernel advertises nesting, and no IOMMU driver of this machine implements it.",
              "Type1v2 does all that nesting would do for one process.");
      case TYPE1, TYPE1V2 ->
          isForbidden
              ? new Explanation(
                  "The IOMMU does not isolate message-signalled interrupts, so a device could fake them.",
                  isolateInterrupts()
                      + " Where every user is trusted, load vfio_iommu_type1 with allow_unsafe_interrupts=1.")
              : new Explanation(
                  "The Type1 driver cannot take this group.", "Look for the reason in dmesg.");
      case NOIOMMU ->
          isForbidden
              ? new Explanation(
                  "Without an IOMMU the device reaches all of memory, so the kernel asks for CAP_SYS_RAWIO.",
                  "Run as root, or give the process that capability.")
              : new Explanation(
                  "The group has an IOMMU, or no-IOMMU mode is off.",
                  "Where it is really wanted: " + GroupAdvice.TURN_ON_NO_IOMMU);
      case IOMMUFD, VFIO_USER -> throw new IllegalArgumentException(type + " has no container");
    };
  }

  private String isolateInterrupts() {
    if (!facts.isVirtualMachine()) {
      return "Turn interrupt remapping on in the firmware.";
    }
    return facts.kernel().architecture() == Architecture.AARCH64
        ? "Have the hypervisor give this virtual machine an interrupt controller that does (QEMU: -machine"
            + " virt,gic-version=3)."
        : "Have the hypervisor remap interrupts (QEMU: -machine q35,kernel-irqchip=split -device"
            + " intel-iommu,intremap=on; virtio-iommu-pci cannot).";
  }

  /** CHECK_EXTENSION said no to nesting, and yes to Type1. */
  public Explanation type1WithoutNesting() {
    return new Explanation(
        ("This kernel (%s) has Type1 without nesting: Linux 7.2 dropped it, and an iommufd in the place of containers"
                + " never had it.")
            .formatted(facts.kernelRelease()),
        "Type1v2 does all that nesting would do for one process.");
  }

  /** CHECK_EXTENSION said no. */
  public Explanation notAdvertised(IommuGroup group, IommuType type) {
    if (group.noIommu() && type != IommuType.NOIOMMU) {
      return new Explanation(
          "The device has no IOMMU.",
          "Only 'noiommu' can open it, by name and without any protection.");
    }
    return switch (type) {
      case TYPE1, TYPE1V2, TYPE1_NESTING ->
          new Explanation(
              "No loaded IOMMU driver offers it: this is no Type1 machine, or its module is missing.",
              "");
      case SPAPR_TCE, SPAPR_TCE_V2 ->
          new Explanation(
              "No loaded IOMMU driver offers it: this is no POWER machine, or its module is missing.",
              "");
      case NOIOMMU -> noIommuNotAdvertised(group);
      case IOMMUFD ->
          new Explanation(
              "The kernel offers no /dev/vfio/devices node for the group's devices.", "");
      case VFIO_USER -> throw new IllegalArgumentException("no group has type " + type);
    };
  }

  private Explanation noIommuNotAdvertised(IommuGroup group) {
    if (group.noIommu()) {
      return new Explanation(
          "No-IOMMU mode was turned off after the device was bound.",
          "Where it is really wanted: " + GroupAdvice.TURN_ON_NO_IOMMU);
    }
    return new Explanation(
        "The group has an IOMMU, and no-IOMMU mode is for devices that have none"
            + (facts.lacksNoIommuMode()
                ? "; this kernel (%s) has no such mode anyway, built without CONFIG_VFIO_NOIOMMU."
                    .formatted(facts.kernelRelease())
                : "."),
        "Ask for no type: jvfio then finds one that works.");
  }

  /** The machine whose hypervisor offers no Dynamic DMA Windows, under a kernel that needs them. */
  public Explanation noDynamicWindows() {
    return new Explanation(
        ("The hypervisor offers no Dynamic DMA Windows to this device (no ibm,ddw-applicable above it in the device"
                + " tree; GET_INFO tells 0 levels), and this kernel (%s) needs them for VFIO: it accepts every sPAPR type"
                + " here and can map nothing. Trying would make the kernel refuse the device until the next boot, so it"
                + " was not tried.")
            .formatted(facts.kernelRelease()),
        "Turn DDW on in the hypervisor, where it can be off for all devices or for those below one host bridge (QEMU:"
            + " leave out '-global spapr-pci-host-bridge.ddw=off', and ddw=off in '-device"
            + " spapr-pci-host-bridge,...,ddw=off'; PowerVM: give the slot huge dynamic DMA window capability), move the"
            + " device to a host bridge that has it, or boot a kernel before 6.11, where version 1 needs no DDW.");
  }

  /** A description that no driver could work with. */
  public static Explanation senselessDescription(String what) {
    return new Explanation("The kernel describes this IOMMU as having " + what + ".", REPORT);
  }

  /**
   * An sPAPR call answered with a positive number, which is a failure that the kernel forgot to
   * give a name.
   */
  public static Explanation positiveResult(int result) {
    return new Explanation(
        "The kernel answered +%d; for sPAPR anything but 0 is a failure, and nothing was changed."
            .formatted(result),
        REPORT);
  }

  /**
   * Mapping, registering or enabling: {@code errno} where {@code byteSize} bytes were to be locked.
   */
  public Explanation memory(Errno errno, long byteSize, String purpose) {
    if (errno.equals(Errno.ENOMEM)) {
      return lockedMemory(byteSize, purpose);
    }
    return explain(
        errno,
        Map.of(
            Errno.ENODEV,
            new Explanation(
                "The kernel has given up DMA windows for this device: a window could not be created earlier, by this"
                    + " or another driver, and Linux does not try again until the next boot.",
                "Reboot; then 'jvfio probe' tells which IOMMU type is safe before any driver touches the device."),
            Errno.EFAULT,
            new Explanation(
                "Memory at that address cannot be pinned: it is not mapped, read-only, or backed by a file.",
                "Use memory from DmaSpace.allocate."),
            Errno.EEXIST,
            new Explanation(
                "Another mapping of the same container covers part of this IOVA range.", REPORT),
            Errno.ENOSPC,
            new Explanation(
                "The container has no mapping entry left.",
                "Map larger pieces, or load vfio_iommu_type1 with a larger dma_entry_limit."),
            Errno.EBUSY,
            new Explanation(
                "The same memory is registered already, or the IOMMU is in use.", REPORT)));
  }

  /** Locking {@code byteSize} bytes more: the shortfall, and how to raise the limit. */
  public Explanation lockedMemory(long byteSize, String purpose) {
    return lockedMemory(byteSize, facts.lockedMemory(), purpose);
  }

  /** As above, where {@code locked} bytes count against the limit already. */
  public Explanation lockedMemory(long byteSize, long locked, String purpose) {
    long limit = facts.kernel().lockedMemoryLimit();
    long shortfall = locked + byteSize - limit;
    if (facts.mayLockWithoutLimit() || shortfall <= 0) {
      return new Explanation(
          "The kernel has no memory for %s (%,d bytes).".formatted(purpose, byteSize),
          "Free memory on this machine; dmesg may tell more.");
    }
    return new Explanation(
        ("The locked-memory limit is too low for %s: %,d bytes are needed, %,d of %,d are in use, so %,d are"
                + " missing.")
            .formatted(purpose, byteSize, locked, limit, shortfall),
        "Raise it for this process with 'prlimit --pid %d --memlock=%d', or for the user with a memlock line of %d (KiB)"
                .formatted(
                    ProcessHandle.current().pid(),
                    locked + byteSize,
                    (locked + byteSize + 1023) >> 10)
            + " in /etc/security/limits.conf.");
  }

  /** {@code VFIO_GROUP_GET_DEVICE_FD}. */
  public Explanation openDevice(PciAddress device, Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.ENODEV,
            new Explanation(
                "The device is not in the group, or not bound to a VFIO driver.",
                groups.bind(device)),
            Errno.EACCES,
            token(device),
            Errno.EBUSY,
            new Explanation(
                "The device is in use, or its BARs belong to somebody else.",
                "Look at /proc/iomem."),
            Errno.EINVAL,
            new Explanation(
                facts.token(device).isPresent()
                    ? "The device asks for no VF token and was given one, or it could not be enabled."
                    : "The kernel cannot open the device: its container has no IOMMU, or it could not be enabled.",
                facts.token(device).isPresent()
                    ? "Open it without VfioHost.withVfToken."
                    : "Look for the reason in dmesg.")));
  }

  /** A device that asks for a token. */
  private Explanation token(PciAddress device) {
    return new Explanation(
        "The device is a virtual function, or a physical one whose virtual functions are open, and the VF token is "
            + (facts.token(device).isPresent() ? "another than the one given." : "missing."),
        "Ask the owner of the physical function for it, and give it with VfioHost.withVfToken(%s, TOKEN)."
            .formatted(device));
  }

  /** Making, waiting for, reading or closing an eventfd. */
  public static Explanation eventFd(Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.ENOMEM,
            new Explanation("The kernel has no memory for it.", "Free memory on this machine."),
            Errno.ENOSPC,
            new Explanation(
                "This user waits for as many descriptors as the kernel allows.",
                "Raise /proc/sys/fs/epoll/max_user_watches."),
            Errno.EBADF,
            new Explanation(
                "The descriptor is not open any more.", "Look for other code that closes it."),
            Errno.ENODEV,
            new Explanation(
                "The kernel could not mount its file system for such files.",
                "Look for the reason in dmesg.")));
  }

  /** {@code VFIO_DEVICE_SET_IRQS}. */
  static Explanation interrupts(IrqInfo index, Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.EINVAL,
            new Explanation(
                index.resizable()
                    ? "The device uses another kind of interrupt, or this one is not in use."
                    : "The device uses another kind of interrupt, or fewer vectors of this one than were meant.",
                "INTx, MSI and MSI-X exclude each other; other code of this process may have enabled one."),
            Errno.ENOSPC,
            new Explanation(
                "The host has no interrupt vector left for the device.",
                "Close other devices, or spread interrupts over more processors."),
            Errno.ENOMEM,
            new Explanation(
                "The kernel has no memory for the vectors.", "Free memory on this machine."),
            Errno.EBUSY,
            new Explanation(
                index.index() == 0
                    ? "The line is shared with another device, and this one cannot mask its own; or another eventfd"
                        + " unmasks it."
                    : "The vector is in use on the host.",
                "Look at /proc/interrupts."),
            Errno.ENODEV,
            new Explanation(
                index.index() == 0
                    ? "The host has no interrupt line connected to the device."
                    : "The device is gone.",
                index.index() == 0 ? "Use MSI-X or MSI." : "Look for the reason in dmesg."),
            Errno.ENOTTY,
            new Explanation(
                "The kernel does not know this action for this kind of interrupt.",
                "Only an interrupt line can be masked."),
            Errno.EIO,
            new Explanation(
                "The device does not answer, so its interrupts cannot be set up.",
                "Look for the reason in dmesg, then reset it."),
            Errno.EBADF,
            new Explanation(
                "An eventfd is not open any more.", "Look for other code that closes it.")));
  }

  /** SET_IRQS answered with a number of vectors that cannot be. */
  static Explanation tooManyVectors(int count) {
    return new Explanation(
        "The kernel answered that %d vectors can be had, which it did not give.".formatted(count),
        REPORT);
  }

  /** {@code VFIO_DEVICE_IOEVENTFD}. */
  static Explanation ioEventFd(Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.EINVAL,
            new Explanation(
                "The kernel makes such writes to BARs only, of 1, 2 or 4 bytes (8 on some), and not to the MSI-X"
                    + " table.",
                "Choose another register, or write it yourself."),
            Errno.EEXIST,
            new Explanation(
                "There is one for the same register, width and value already.",
                "Use that one, or close it first."),
            Errno.ENOSPC,
            new Explanation("A device has 1,000 of them at most.", "Close some."),
            Errno.ENOTTY,
            new Explanation("The kernel is too old for it.", "Write the register yourself."),
            Errno.ENODEV,
            new Explanation("There is none any more.", "")));
  }

  /** {@code VFIO_EEH_PE_OP}. */
  public static Explanation eeh(Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.ENODEV,
            new Explanation(
                "The firmware has no endpoint for this device: EEH does not watch it, as in most emulated machines.",
                "Recover with a reset of the device."),
            Errno.ENOENT,
            new Explanation("The platform has no such operation.", ""),
            Errno.EIO,
            new Explanation(
                "EEH is off, or the firmware failed.",
                "Look for 'EEH:' in dmesg; the kernel's command line may have eeh=off."),
            Errno.EINVAL,
            new Explanation("The endpoint is in no state for it.", "Ask for its state first."),
            Errno.ERANGE,
            new Explanation(
                "This platform cannot inject such an error.", "On pSeries use one of memory.")));
  }

  /** A hot reset, or the question whom it would reach. */
  public static Explanation hotReset(Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.EPERM,
            new Explanation(
                "A device on the bus has no IOMMU group, so it cannot be told whose it is.",
                "Bind all devices of the bus to vfio-pci."),
            Errno.EINVAL,
            new Explanation(
                "A device on the bus, or its driver, has changed since it was looked at.",
                "Ask hotResetScope() who is there now."),
            Errno.EBUSY,
            new Explanation(
                "The memory of a device on the bus is being used or reset by another thread.",
                "Stop using the devices of hotResetScope(), and try again."),
            Errno.EAGAIN,
            new Explanation(
                "Somebody else holds the locks of a device on the bus: another reset, sysfs, or a driver being bound.",
                "Try again; nothing was changed."),
            Errno.ENODEV,
            new Explanation("Neither bus nor slot can be reset any more.", "")));
  }

  /** {@code VFIO_DEVICE_FEATURE}. */
  static Explanation feature(DeviceFeature feature, Errno errno, String release) {
    if (errno.equals(Errno.ENOTTY)) {
      return switch (feature) {
        case VF_TOKEN ->
            new Explanation(
                "The device is no physical function with SR-IOV, which alone has a token.", "");
        case MIGRATION,
            MIGRATION_STATE,
            MIGRATION_DATA_SIZE,
            DMA_LOGGING_START,
            DMA_LOGGING_STOP,
            DMA_LOGGING_REPORT ->
            new Explanation(
                "The device's driver has no such feature: plain vfio-pci knows nothing of what is inside a device.",
                "Bind the device to its vendor's own VFIO driver, such as mlx5-vfio-pci, where the kernel (here "
                    + release
                    + ") has one.");
        case LOW_POWER_ENTRY, LOW_POWER_ENTRY_WITH_WAKEUP, LOW_POWER_EXIT, DMA_BUF ->
            new Explanation(
                "This kernel (%s) or the device's driver has no such feature.".formatted(release),
                feature == DeviceFeature.DMA_BUF
                    ? "Linux 6.19 and later have it."
                    : "Linux 6.1 and later have it.");
      };
    }
    return explain(
        errno,
        Map.of(
            Errno.EINVAL,
            switch (feature) {
              case LOW_POWER_ENTRY, LOW_POWER_ENTRY_WITH_WAKEUP ->
                  new Explanation(
                      "The device is in low power already.", "Call exitLowPower first.");
              case MIGRATION_STATE ->
                  new Explanation(
                      "There is no way to that state from the present one, or the device does not take what was written.",
                      "Look at state(); reset the device if it is ERROR.");
              case DMA_LOGGING_START ->
                  new Explanation(
                      "A log is running already, or the device has no such page size.",
                      "Close the other log first.");
              case DMA_LOGGING_REPORT ->
                  new Explanation(
                      "No log is running: a reset of the device ends it.", "Start it again.");
              case DMA_BUF ->
                  new Explanation(
                      "The region is none of memory, or the parts are not whole pages of it.", "");
              default -> unexpected();
            },
            Errno.EOPNOTSUPP,
            new Explanation("The device cannot do it, though its driver could.", ""),
            Errno.ENODEV,
            new Explanation("The device is gone, or has failed.", "Look for the reason in dmesg."),
            Errno.EIO,
            new Explanation("The device has failed.", "Reset it; dmesg may tell the reason."),
            Errno.ENOMEM,
            new Explanation(
                "The kernel or the device has no memory for it.",
                "Watch, or migrate, less at a time."),
            Errno.EBUSY,
            new Explanation("The device is busy with something else.", "Try again.")));
  }

  /** Reading or writing migration data. */
  static Explanation migrationData(Errno errno) {
    return explain(
        errno,
        Map.of(
            Errno.ENODEV,
            new Explanation(
                "The device has left the state that these data belong to.",
                "Enter the state again for a new stream."),
            Errno.EINVAL,
            new Explanation(
                "The device is in no state for it, or does not take such data.",
                "Look at Migration.state()."),
            Errno.ENOMEM,
            new Explanation(
                "There are more data than the driver takes.", "Check where they come from."),
            Errno.EIO,
            new Explanation("The device has failed.", "Reset it; dmesg may tell the reason.")));
  }

  /** What to say of an error that the table does not know. */
  public static Explanation unexpected() {
    return new Explanation("Linux does not document this answer here.", REPORT);
  }

  private static Explanation explain(Errno errno, Map<Errno, Explanation> known) {
    if (errno.equals(Errno.EMFILE) || errno.equals(Errno.ENFILE)) {
      return new Explanation("Too many files are open.", "Close some, or raise 'ulimit -n'.");
    }
    return Optional.ofNullable(known.get(errno)).orElseGet(Explanations::unexpected);
  }
}

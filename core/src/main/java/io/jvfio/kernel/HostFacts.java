// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.PciAddress;
import io.jvfio.ReservedRange;
import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.spi.Explanation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Facts from procfs and sysfs about this process and the machine, for explanations and for asking
 * only safe questions.
 */
public final class HostFacts {
  private static final String DEVICE_TREE = "/sys/firmware/devicetree/base";
  private static final String TREE_LINK = "devicetree/base";
  private static final String DMI = "/sys/class/dmi/id/";

  /** The parameter that turns no-IOMMU mode on, in kernels that have it. */
  public static final String NO_IOMMU_MODE =
      "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

  private static final int CAP_IPC_LOCK = 14;

  /** What firmware made of software calls its maker or the machine. */
  private static final Pattern VIRTUAL =
      Pattern.compile(
          "QEMU|KVM|VMware|VirtualBox|innotek|Xen\\b|Bochs|Parallels|BHYVE|OpenStack|Standard PC \\("
              + "|Virtual Machine|Cloud Hypervisor|Apple Virtualization");

  private static final Pattern HYPERVISOR_FLAG =
      Pattern.compile("^flags\\b.*\\bhypervisor\\b", Pattern.MULTILINE);
  private static final Pattern VIRTUAL_TREE = Pattern.compile("dummy-virt|qemu|xen");

  private static final Pattern RESERVED =
      Pattern.compile("0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) (\\S+)");

  private final Kernel kernel;
  private final Map<PciAddress, UUID> tokens;

  public HostFacts(Kernel kernel, Map<PciAddress, UUID> tokens) {
    this.kernel = kernel;
    this.tokens = Map.copyOf(tokens);
  }

  /** What to show when a virtual function is opened, where the user has given something. */
  public Optional<UUID> token(PciAddress device) {
    return Optional.ofNullable(tokens.get(device));
  }

  public Map<PciAddress, UUID> tokens() {
    return tokens;
  }

  /** The driver that is bound to a device; empty where there is none. */
  public Optional<String> driver(PciAddress device) {
    return link("/sys/bus/pci/devices/" + device + "/driver").map(HostFacts::lastName);
  }

  /** The group of a device; empty where it has none. */
  public OptionalInt group(PciAddress device) {
    return link("/sys/bus/pci/devices/" + device + "/iommu_group")
        .map(target -> OptionalInt.of(Integer.parseInt(lastName(target))))
        .orElse(OptionalInt.empty());
  }

  private static String lastName(String target) {
    return target.substring(target.lastIndexOf('/') + 1);
  }

  public Kernel kernel() {
    return kernel;
  }

  /** The kernel's release, such as {@code 6.12.107-powerpc64le}. */
  public String kernelRelease() {
    return text("/proc/sys/kernel/osrelease").orElse("unknown");
  }

  /** Why memory of huge pages is not to be had, as {@code refusal} and the kernel's pools tell. */
  public Explanation whyNoHugePages(long pageSize, long byteSize, Refusal refusal) {
    long pages = (byteSize + pageSize - 1) / pageSize;
    var pool = "/sys/kernel/mm/hugepages/hugepages-" + (pageSize >> 10) + "kB";
    var free = text(pool + "/free_hugepages");
    if (free.isEmpty()) {
      return new Explanation(
          "This machine has no huge pages of %,d bytes, so the buffer has the system's pages of %,d."
              .formatted(pageSize, kernel.pageSize()),
          "Look at /sys/kernel/mm/hugepages for the sizes that it has.");
    }
    return new Explanation(
        "Of %,d huge pages of %,d bytes that the buffer needs, %s are free (%s), so it has the system's pages of %,d."
            .formatted(
                pages,
                pageSize,
                free.get(),
                refusal.errno().map(Errno::symbol).orElse("refused"),
                kernel.pageSize()),
        "Reserve them with 'echo %d > %s/nr_hugepages'.".formatted(pages, pool));
  }

  /** Bytes that this process has locked, by the kernel's own count. */
  public long lockedMemory() {
    return status("VmLck:")
        .map(value -> Long.parseLong(value.substring(0, value.indexOf(' '))) << 10)
        .orElse(0L);
  }

  /** How many more bytes this process may lock; empty where no limit binds it. */
  public OptionalLong lockableMemory() {
    long limit = kernel.lockedMemoryLimit();
    return limit == Kernel.NO_LIMIT || mayLockWithoutLimit()
        ? OptionalLong.empty()
        : OptionalLong.of(Math.max(0, limit - lockedMemory()));
  }

  /** Whether the limit on locked memory does not bind this process. */
  boolean mayLockWithoutLimit() {
    return status("CapEff:")
        .map(mask -> (Long.parseUnsignedLong(mask, 16) >>> CAP_IPC_LOCK & 1) == 1)
        .orElse(false);
  }

  /**
   * Whether Dynamic DMA Windows may be missing for this device: a device tree describes it, and the
   * property {@code ibm,ddw-applicable} was not seen in its node or in one above. What cannot be
   * read counts as missing, since the question that follows is harmless.
   */
  public boolean mayLackDynamicWindows(PciAddress device) {
    String node;
    try {
      node = kernel.readLink("/sys/bus/pci/devices/" + device + "/of_node");
    } catch (ErrnoException e) {
      return !e.errno().equals(Errno.ENOENT);
    }
    int tree = node.indexOf(TREE_LINK);
    if (tree < 0) {
      return true;
    }
    node = node.substring(tree + TREE_LINK.length());
    try {
      while (!kernel.list(DEVICE_TREE + node).contains("ibm,ddw-applicable")) {
        if (node.isEmpty()) {
          return true;
        }
        node = node.substring(0, node.lastIndexOf('/'));
      }
      return false;
    } catch (ErrnoException e) {
      return true;
    }
  }

  /**
   * The node of a device's own, through which iommufd is used: there is one where the kernel has
   * them and the device is bound to a VFIO driver.
   */
  public Optional<String> deviceNode(PciAddress device) {
    try {
      return kernel.list("/sys/bus/pci/devices/" + device + "/vfio-dev").stream()
          .findFirst()
          .map(name -> "/dev/vfio/devices/" + name)
          .filter(this::exists);
    } catch (ErrnoException e) {
      return Optional.empty(); // no such directory without a VFIO driver
    }
  }

  private boolean exists(String path) {
    int slash = path.lastIndexOf('/');
    try {
      return kernel.list(path.substring(0, slash)).contains(path.substring(slash + 1));
    } catch (ErrnoException e) {
      return false; // no such directory in kernels without these nodes
    }
  }

  /**
   * The IOMMUs that the kernel has found and drives, by name, such as {@code dmar0}; empty where it
   * has found none or does not tell. They are there before any device has a group.
   */
  public List<String> iommus() {
    try {
      return kernel.list("/sys/class/iommu").stream().sorted().toList();
    } catch (ErrnoException e) {
      return List.of(); // no such class in kernels without any IOMMU driver
    }
  }

  /** Whether this is known to be a virtual machine; see {@link #virtualMachineSign}. */
  public boolean isVirtualMachine() {
    return virtualMachineSign().isPresent();
  }

  /**
   * The file by which this is known to be a virtual machine, and what it says: what its firmware
   * calls it, the bit that hypervisors set for {@code cpuid}, or its device tree; empty where none
   * says so.
   */
  public Optional<String> virtualMachineSign() {
    return mention(DMI + "sys_vendor", VIRTUAL)
        .or(() -> mention(DMI + "product_name", VIRTUAL))
        .or(
            () ->
                mention("/proc/cpuinfo", HYPERVISOR_FLAG)
                    .map(_ -> "/proc/cpuinfo has the flag 'hypervisor'"))
        .or(() -> mention(DEVICE_TREE + "/compatible", VIRTUAL_TREE))
        .or(
            () ->
                exists(DEVICE_TREE + "/hypervisor")
                    ? Optional.of("the device tree has a node 'hypervisor'")
                    : Optional.empty())
        .or(
            () ->
                isPowerGuest()
                    ? Optional.of("the device tree is not that of 'ibm,powernv'")
                    : Optional.empty());
  }

  private Optional<String> mention(String path, Pattern what) {
    return text(path)
        .map(what::matcher)
        .filter(Matcher::find)
        .map(found -> path + " says '" + found.group() + "'");
  }

  /**
   * Whether this kernel is known to be built without no-IOMMU mode: vfio is there, and the
   * parameter that would turn it on is not.
   */
  public boolean lacksNoIommuMode() {
    try {
      kernel.readText(NO_IOMMU_MODE);
      return false;
    } catch (ErrnoException e) {
      return e.errno().equals(Errno.ENOENT) && exists("/sys/module/vfio");
    }
  }

  /** Whether a device without an IOMMU is given a group as soon as it is bound to vfio-pci. */
  public boolean isNoIommuModeOn() {
    return text(NO_IOMMU_MODE).filter("Y"::equals).isPresent();
  }

  /** The 24-bit class code of a device; empty where sysfs does not tell. */
  public OptionalInt classCode(PciAddress device) {
    return text("/sys/bus/pci/devices/" + device + "/class")
        .map(text -> OptionalInt.of(Integer.decode(text)))
        .orElse(OptionalInt.empty());
  }

  /** Whether this is POWER hardware itself, whose groups can share DMA windows. */
  public boolean isBareMetalPower() {
    return text(DEVICE_TREE + "/compatible")
        .filter(text -> text.contains("ibm,powernv"))
        .isPresent();
  }

  /** Whether this is a guest on POWER, whose groups cannot share DMA windows. */
  public boolean isPowerGuest() {
    return kernel.architecture() == Architecture.PPC64LE && !isBareMetalPower();
  }

  /** The addresses of a group that the platform keeps; none where sysfs does not tell. */
  public List<ReservedRange> reservedRanges(int group) {
    var ranges = new ArrayList<ReservedRange>();
    text("/sys/kernel/iommu_groups/" + group + "/reserved_regions")
        .ifPresent(
            text ->
                text.lines()
                    .map(RESERVED::matcher)
                    .filter(Matcher::matches)
                    .forEach(
                        line ->
                            ranges.add(
                                new ReservedRange(
                                    Long.parseUnsignedLong(line.group(1), 16),
                                    Long.parseUnsignedLong(line.group(2), 16),
                                    line.group(3)))));
    return ranges;
  }

  /**
   * The process that has {@code path} open, as {@code "1234 (qemu-system-ppc)"}, where this process
   * may know.
   */
  public Optional<String> holder(String path) {
    return processes().stream()
        .filter(process -> openFiles(process).contains(path))
        .findFirst()
        .map(this::described);
  }

  /**
   * The processes that have files open whose paths begin so, as {@link #holder} tells them, by
   * path; where this process may know.
   */
  public Map<String, String> holders(String prefix) {
    var holders = new HashMap<String, String>();
    for (var process : processes()) {
      for (var path : openFiles(process)) {
        if (path.startsWith(prefix)) {
          holders.computeIfAbsent(path, _ -> described(process));
        }
      }
    }
    return holders;
  }

  private List<String> processes() {
    try {
      return kernel.list("/proc").stream()
          .filter(name -> name.chars().allMatch(Character::isDigit))
          .toList();
    } catch (ErrnoException e) {
      return List.of(); // no procfs: then nobody can know
    }
  }

  private String described(String process) {
    return process + text("/proc/" + process + "/comm").map(name -> " (" + name + ")").orElse("");
  }

  private List<String> openFiles(String process) {
    var directory = "/proc/" + process + "/fd";
    try {
      return kernel.list(directory).stream()
          .map(fd -> link(directory + "/" + fd))
          .flatMap(Optional::stream)
          .toList();
    } catch (ErrnoException e) {
      return List.of(); // another user's process, or one that has just ended
    }
  }

  private Optional<String> status(String key) {
    return text("/proc/self/status")
        .flatMap(status -> status.lines().filter(line -> line.startsWith(key)).findFirst())
        .map(line -> line.substring(key.length()).strip());
  }

  private Optional<String> text(String path) {
    try {
      return Optional.of(kernel.readText(path));
    } catch (ErrnoException e) {
      return Optional.empty();
    }
  }

  private Optional<String> link(String path) {
    try {
      return Optional.of(kernel.readLink(path));
    } catch (ErrnoException e) {
      return Optional.empty();
    }
  }
}

package io.jvfio;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What procfs and sysfs say of this process and of the machine, for explanations and for asking
 * only safe questions.
 */
final class HostFacts {
  private static final String DEVICE_TREE = "/sys/firmware/devicetree/base";
  private static final String TREE_LINK = "devicetree/base";
  private static final int CAP_IPC_LOCK = 14;
  private static final Pattern RESERVED =
      Pattern.compile("0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) (\\S+)");

  private final Kernel kernel;
  private final Map<PciAddress, UUID> tokens;

  HostFacts(Kernel kernel, Map<PciAddress, UUID> tokens) {
    this.kernel = kernel;
    this.tokens = Map.copyOf(tokens);
  }

  /** What to show when a virtual function is opened, where the user has given something. */
  Optional<UUID> token(PciAddress device) {
    return Optional.ofNullable(tokens.get(device));
  }

  Map<PciAddress, UUID> tokens() {
    return tokens;
  }

  /** The driver that is bound to a device; empty where there is none. */
  Optional<String> driver(PciAddress device) {
    return link("/sys/bus/pci/devices/" + device + "/driver").map(HostFacts::lastName);
  }

  /** The group of a device; empty where it has none. */
  OptionalInt group(PciAddress device) {
    return link("/sys/bus/pci/devices/" + device + "/iommu_group")
        .map(target -> OptionalInt.of(Integer.parseInt(lastName(target))))
        .orElse(OptionalInt.empty());
  }

  private static String lastName(String target) {
    return target.substring(target.lastIndexOf('/') + 1);
  }

  Kernel kernel() {
    return kernel;
  }

  /** The kernel's release, such as {@code 6.12.107-powerpc64le}. */
  String kernelRelease() {
    return text("/proc/sys/kernel/osrelease").orElse("unknown");
  }

  /** Why memory of huge pages is not to be had, as {@code refusal} and the kernel's pools tell. */
  Explanation whyNoHugePages(long pageSize, long byteSize, Refusal refusal) {
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
  long lockedMemory() {
    return status("VmLck:")
        .map(value -> Long.parseLong(value.substring(0, value.indexOf(' '))) << 10)
        .orElse(0L);
  }

  /** How many more bytes this process may lock; empty where no limit binds it. */
  OptionalLong lockableMemory() {
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
  boolean mayLackDynamicWindows(PciAddress device) {
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
  Optional<String> deviceNode(PciAddress device) {
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

  /** Whether this is POWER hardware itself, whose groups can share DMA windows. */
  boolean isBareMetalPower() {
    return text(DEVICE_TREE + "/compatible")
        .filter(text -> text.contains("ibm,powernv"))
        .isPresent();
  }

  /** Whether this is a guest on POWER, whose groups cannot share DMA windows. */
  boolean isPowerGuest() {
    return kernel.architecture() == Architecture.PPC64LE && !isBareMetalPower();
  }

  /** The addresses of a group that the platform keeps; none where sysfs does not tell. */
  List<ReservedRange> reservedRanges(int group) {
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
  Optional<String> holder(String path) {
    try {
      for (var process : kernel.list("/proc")) {
        if (process.chars().allMatch(Character::isDigit) && hasOpen(process, path)) {
          return Optional.of(
              process
                  + text("/proc/" + process + "/comm").map(name -> " (" + name + ")").orElse(""));
        }
      }
    } catch (ErrnoException e) {
      return Optional.empty(); // no procfs: then nobody can know
    }
    return Optional.empty();
  }

  private boolean hasOpen(String process, String path) {
    var directory = "/proc/" + process + "/fd";
    try {
      for (var fd : kernel.list(directory)) {
        if (link(directory + "/" + fd).filter(path::equals).isPresent()) {
          return true;
        }
      }
    } catch (ErrnoException e) {
      return false; // another user's process, or one that has just ended
    }
    return false;
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

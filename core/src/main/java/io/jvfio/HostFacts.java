package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.util.Optional;

/**
 * What procfs and sysfs say of this process and of the machine, for explanations and for asking
 * only safe questions.
 */
final class HostFacts {
  private static final String DEVICE_TREE = "/sys/firmware/devicetree/base";
  private static final String TREE_LINK = "devicetree/base";
  private static final int CAP_IPC_LOCK = 14;

  private final Kernel kernel;

  HostFacts(Kernel kernel) {
    this.kernel = kernel;
  }

  Kernel kernel() {
    return kernel;
  }

  /** The kernel's release, such as {@code 6.12.107-powerpc64le}. */
  String kernelRelease() {
    return text("/proc/sys/kernel/osrelease").orElse("unknown");
  }

  /** Bytes that this process has locked, by the kernel's own count. */
  long lockedMemory() {
    return status("VmLck:")
        .map(value -> Long.parseLong(value.substring(0, value.indexOf(' '))) << 10)
        .orElse(0L);
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

  /** Whether the kernel gives devices nodes of their own, through which iommufd is used. */
  boolean offersDeviceNodes() {
    try {
      return !kernel.list("/dev/vfio/devices").isEmpty();
    } catch (ErrnoException e) {
      return false; // there is no such directory without them
    }
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

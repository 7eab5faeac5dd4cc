package io.jvfio;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.util.Optional;

/**
 * What procfs and sysfs say of this process and of the machine, for explanations and for asking
 * only safe questions.
 */
final class HostFacts {
  private static final String DEVICE_TREE = "/sys/firmware/devicetree/base";
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
   * Whether the device tree offers Dynamic DMA Windows to this device: the property {@code
   * ibm,ddw-applicable} in its node or in one above. Empty where the machine has no device tree for
   * it.
   */
  Optional<Boolean> offersDynamicWindows(PciAddress device) {
    var link = link("/sys/bus/pci/devices/" + device + "/of_node");
    int base = link.map(target -> target.indexOf("devicetree/base")).orElse(-1);
    if (base < 0) {
      return Optional.empty();
    }
    var node = link.orElseThrow().substring(base + "devicetree/base".length());
    while (true) {
      try {
        if (kernel.list(DEVICE_TREE + node).contains("ibm,ddw-applicable")) {
          return Optional.of(true);
        }
      } catch (ErrnoException e) {
        return Optional.empty();
      }
      if (node.isEmpty()) {
        return Optional.of(false);
      }
      node = node.substring(0, node.lastIndexOf('/'));
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

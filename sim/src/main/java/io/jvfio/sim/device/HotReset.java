// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.Vfio.VFIO_PCI_DEVID_NOT_OWNED;
import static io.jvfio.linux.uapi.Vfio.VFIO_PCI_DEVID_OWNED;
import static io.jvfio.linux.uapi.Vfio.VFIO_PCI_HOT_RESET_FLAG_DEV_ID;
import static io.jvfio.linux.uapi.Vfio.VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioPciDependentDevice;
import io.jvfio.linux.uapi.VfioPciHotReset;
import io.jvfio.linux.uapi.VfioPciHotResetInfo;
import io.jvfio.model.ResetReason;
import io.jvfio.sim.iommu.Iommufd;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.KernelEra;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The reset of a whole bus, by the bridge above it: there is none for a root bus, and no host here
 * has slots that could be reset. Source: {@code drivers/vfio/pci/vfio_pci_core.c}; up to 5.18
 * {@code vfio_pci.c}.
 */
final class HotReset {
  private final HostDevice device;

  /** The iommufd of a device that was opened by a node of its own, or null. */
  private final @Nullable Iommufd iommufd;

  HotReset(HostDevice device, @Nullable Iommufd iommufd) {
    this.device = device;
    this.iommufd = iommufd;
  }

  private boolean hasBridge() {
    return !device.description().parents().isEmpty();
  }

  /** All functions below the bridge, in the order in which the kernel walks the bus. */
  private List<HostDevice> affected() {
    var parents = device.description().parents();
    var found = new ArrayList<HostDevice>();
    for (var other : device.host().devices()) {
      var above = other.description().parents();
      if (above.size() >= parents.size() && above.subList(0, parents.size()).equals(parents)) {
        found.add(other);
      }
    }
    found.sort(Comparator.comparing(other -> other.description().path()));
    return found;
  }

  /** {@code VFIO_DEVICE_GET_PCI_HOT_RESET_INFO}. */
  int info(UserArgument argument) throws UserFault {
    var info = argument.copyIn(VfioPciHotResetInfo.BYTES);
    long argsz = Integer.toUnsignedLong(VfioPciHotResetInfo.ARGSZ.get(info));
    if (argsz < VfioPciHotResetInfo.BYTES) {
      return Errno.EINVAL.result();
    }
    if (!hasBridge()) {
      return Errno.ENODEV.result();
    }
    var affected = affected();
    VfioPciHotResetInfo.FLAGS.set(info, 0);
    VfioPciHotResetInfo.COUNT.set(info, affected.size());
    if (affected.size() > (argsz - VfioPciHotResetInfo.BYTES) / VfioPciDependentDevice.BYTES) {
      argument.copyOut(0, info, VfioPciHotResetInfo.BYTES);
      return Errno.ENOSPC.result();
    }
    long byteSize = affected.size() * VfioPciDependentDevice.BYTES;
    var entries = MemorySegment.ofArray(new long[affected.size()]);
    boolean allOwned = true;
    for (int i = 0; i < affected.size(); i++) {
      var each = affected.get(i);
      var entry = entries.asSlice(i * VfioPciDependentDevice.BYTES, VfioPciDependentDevice.BYTES);
      place(entry, each.address());
      if (iommufd != null) {
        int id = idIn(iommufd, each);
        allOwned &= id != VFIO_PCI_DEVID_NOT_OWNED;
        VfioPciDependentDevice.GROUP_ID.set(entry, id);
      } else if (each.group() != null) {
        VfioPciDependentDevice.GROUP_ID.set(entry, each.group().id());
      } else {
        return Errno.EPERM.result();
      }
    }
    argument.copyOut(VfioPciHotResetInfo.BYTES, entries, byteSize);
    if (iommufd != null) {
      VfioPciHotResetInfo.FLAGS.set(
          info,
          VFIO_PCI_HOT_RESET_FLAG_DEV_ID | (allOwned ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED : 0));
    }
    argument.copyOut(0, info, VfioPciHotResetInfo.BYTES);
    return 0;
  }

  private static void place(MemorySegment entry, String address) {
    var parts = address.split("[:.]", -1);
    VfioPciDependentDevice.SEGMENT.set(entry, (short) Integer.parseInt(parts[0], 16));
    VfioPciDependentDevice.BUS.set(entry, (byte) Integer.parseInt(parts[1], 16));
    VfioPciDependentDevice.DEVFN.set(
        entry, (byte) (Integer.parseInt(parts[2], 16) << 3 | Integer.parseInt(parts[3], 16)));
  }

  /** A function's number in an iommufd, or what stands for the lack of one. */
  private static int idIn(Iommufd iommufd, HostDevice each) {
    if (!each.isVfio()) {
      return VFIO_PCI_DEVID_NOT_OWNED;
    }
    if (each.bound() != null && each.bound().iommufd() == iommufd) {
      return each.bound().id();
    }
    return each.group() != null && each.group().owner() == iommufd
        ? VFIO_PCI_DEVID_OWNED
        : VFIO_PCI_DEVID_NOT_OWNED;
  }

  /** {@code VFIO_DEVICE_PCI_HOT_RESET}. */
  int reset(UserArgument argument) throws UserFault {
    var reset = argument.copyIn(VfioPciHotReset.BYTES);
    boolean old = device.process().era() == KernelEra.LINUX_5_10;
    long count = Integer.toUnsignedLong(VfioPciHotReset.COUNT.get(reset));
    if (UserArgument.isShort(VfioPciHotReset.ARGSZ.get(reset), VfioPciHotReset.BYTES)
        || VfioPciHotReset.FLAGS.get(reset) != 0
        || (!old && (count != 0) == (iommufd != null))) {
      return Errno.EINVAL.result();
    }
    if (!hasBridge()) {
      return Errno.ENODEV.result();
    }
    if (iommufd != null) {
      return reset(each -> idIn(iommufd, each) != VFIO_PCI_DEVID_NOT_OWNED);
    }
    if (count == 0 || count > affected().size()) {
      return Errno.EINVAL.result();
    }
    return reset(argument, (int) count, old);
  }

  private int reset(UserArgument argument, int count, boolean old) throws UserFault {
    long byteSize = VfioPciHotReset.BYTES + (long) count * Integer.BYTES;
    var descriptors = argument.copyIn(byteSize);
    var groups = new ArrayList<VfioGroup>();
    for (int i = 0; i < count; i++) {
      int fd =
          descriptors.get(ValueLayout.JAVA_INT, VfioPciHotReset.BYTES + (long) i * Integer.BYTES);
      var file = device.process().files().get(fd);
      if (file == null) {
        return Errno.EBADF.result();
      }
      if (!(file instanceof GroupFile groupFile)) {
        return Errno.EINVAL.result();
      }
      var group = groupFile.group();
      // Before 5.19 a group counted only while it could be used.
      if (old && (group.container() == null || group.container().useError(group) != 0)) {
        return Errno.EINVAL.result();
      }
      groups.add(group);
    }
    return reset(each -> groups.contains(each.group()));
  }

  /** Resets the bus if its user has all that is on it. */
  private int reset(Predicate<HostDevice> isOwned) {
    var affected = affected();
    var parents = device.description().parents();
    for (var each : affected) {
      boolean sameBus = each.description().parents().equals(parents);
      if (!sameBus || !each.isVfio() || !isOwned.test(each)) {
        return Errno.EINVAL.result();
      }
    }
    for (var each : affected) {
      var model = each.model();
      var open = each.open();
      if (open != null) {
        open.reset(ResetReason.DEVICE_RESET);
      } else if (model != null) {
        model.reset(ResetReason.DEVICE_RESET);
      }
    }
    return 0;
  }
}

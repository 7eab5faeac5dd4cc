// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.IommuDestroy;
import io.jvfio.linux.uapi.IommuHwptAlloc;
import io.jvfio.linux.uapi.IommuHwptGetDirtyBitmap;
import io.jvfio.linux.uapi.IommuHwptSetDirtyTracking;
import io.jvfio.linux.uapi.IommuIoasAlloc;
import io.jvfio.linux.uapi.IommuIoasCopy;
import io.jvfio.linux.uapi.IommuIoasIovaRanges;
import io.jvfio.linux.uapi.IommuIoasMap;
import io.jvfio.linux.uapi.IommuIoasUnmap;
import io.jvfio.linux.uapi.IommuIovaRange;
import io.jvfio.linux.uapi.IommuOption;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceAttachIommufdPt;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.linux.uapi.VfioDeviceDetachIommufdPt;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A program on a simulated host with iommufd. What makes an object answers its number, or a negated
 * errno; what makes none answers as {@link Guest#answer} says.
 */
final class IommufdGuest implements AutoCloseable {
  static final String HOST = "x86-6.12-iommufd";
  static final String DEVICE = "0000:00:01.0";
  static final int FIXED = Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA;
  static final int WRITE = Iommufd.IOMMU_IOAS_MAP_WRITEABLE;
  static final int READ = Iommufd.IOMMU_IOAS_MAP_READABLE;
  static final int ALL = FIXED | WRITE | READ;

  final Guest guest;
  final Kernel kernel;
  final int iommufd;

  IommufdGuest() {
    this(HostOptions.defaults());
  }

  IommufdGuest(HostOptions options) {
    guest = new Guest(HOST, options);
    kernel = guest.kernel;
    iommufd = guest.open("/dev/iommu");
  }

  /** Opens the node of the device with an ordinal. */
  int node(int ordinal) {
    return guest.open("/dev/vfio/devices/vfio" + ordinal);
  }

  int ioctl(int fd, Ioctl command, MemorySegment struct) {
    return kernel.ioctl(fd, command, struct);
  }

  int bind(int node) {
    return bind(node, iommufd);
  }

  int bind(int node, int file) {
    var bind = VfioDeviceBindIommufd.STRUCT.allocate(guest.arena);
    VfioDeviceBindIommufd.IOMMUFD.set(bind, file);
    int result = ioctl(node, Vfio.VFIO_DEVICE_BIND_IOMMUFD, bind);
    return result < 0 ? result : VfioDeviceBindIommufd.OUT_DEVID.get(bind);
  }

  /** The number of the page table. */
  int attach(int node, int object) {
    var attach = VfioDeviceAttachIommufdPt.STRUCT.allocate(guest.arena);
    VfioDeviceAttachIommufdPt.PT_ID.set(attach, object);
    int result = ioctl(node, Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
    return result < 0 ? result : VfioDeviceAttachIommufdPt.PT_ID.get(attach);
  }

  String detach(int node) {
    var detach = VfioDeviceDetachIommufdPt.STRUCT.allocate(guest.arena);
    return Guest.answer(ioctl(node, Vfio.VFIO_DEVICE_DETACH_IOMMUFD_PT, detach));
  }

  String destroy(int object) {
    var destroy = IommuDestroy.STRUCT.allocate(guest.arena);
    IommuDestroy.ID.set(destroy, object);
    return Guest.answer(ioctl(iommufd, Iommufd.IOMMU_DESTROY, destroy));
  }

  int ioas() {
    var alloc = IommuIoasAlloc.STRUCT.allocate(guest.arena);
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_ALLOC, alloc);
    return result < 0 ? result : IommuIoasAlloc.OUT_IOAS_ID.get(alloc);
  }

  String map(int ioas, long iova, long address, long length) {
    return Guest.answer(Math.min(0, map(ioas, ALL, iova, address, length)));
  }

  /** The address it was mapped at, or a negated errno. */
  long map(int ioas, int flags, long iova, long address, long length) {
    var map = IommuIoasMap.STRUCT.allocate(guest.arena);
    IommuIoasMap.FLAGS.set(map, flags);
    IommuIoasMap.IOAS_ID.set(map, ioas);
    IommuIoasMap.IOVA.set(map, iova);
    IommuIoasMap.USER_VA.set(map, address);
    IommuIoasMap.LENGTH.set(map, length);
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_MAP, map);
    return result < 0 ? result : IommuIoasMap.IOVA.get(map);
  }

  String copy(int target, long to, int source, long from, long length, int flags) {
    var copy = IommuIoasCopy.STRUCT.allocate(guest.arena);
    IommuIoasCopy.FLAGS.set(copy, flags);
    IommuIoasCopy.DST_IOAS_ID.set(copy, target);
    IommuIoasCopy.DST_IOVA.set(copy, to);
    IommuIoasCopy.SRC_IOAS_ID.set(copy, source);
    IommuIoasCopy.SRC_IOVA.set(copy, from);
    IommuIoasCopy.LENGTH.set(copy, length);
    return Guest.answer(ioctl(iommufd, Iommufd.IOMMU_IOAS_COPY, copy));
  }

  /** How many bytes were unmapped, in hexadecimal, or the name of an error. */
  String unmap(int ioas, long iova, long length) {
    var unmap = IommuIoasUnmap.STRUCT.allocate(guest.arena);
    IommuIoasUnmap.IOAS_ID.set(unmap, ioas);
    IommuIoasUnmap.IOVA.set(unmap, iova);
    IommuIoasUnmap.LENGTH.set(unmap, length);
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_UNMAP, unmap);
    return result < 0 ? Guest.answer(result) : Long.toHexString(IommuIoasUnmap.LENGTH.get(unmap));
  }

  /** The ranges, each as {@code start-last} in hexadecimal, and the alignment. */
  List<String> ranges(int ioas) {
    var ranges = IommuIoasIovaRanges.STRUCT.allocate(guest.arena);
    var array = guest.arena.allocate(IommuIovaRange.STRUCT.layout(), 8);
    IommuIoasIovaRanges.IOAS_ID.set(ranges, ioas);
    IommuIoasIovaRanges.NUM_IOVAS.set(ranges, 8);
    IommuIoasIovaRanges.ALLOWED_IOVAS.set(ranges, array.address());
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_IOVA_RANGES, ranges);
    var text = new ArrayList<String>();
    text.add(Guest.answer(result));
    for (int i = 0; i < IommuIoasIovaRanges.NUM_IOVAS.get(ranges); i++) {
      var range = array.asSlice(i * IommuIovaRange.BYTES);
      text.add(
          Long.toHexString(IommuIovaRange.START.get(range))
              + "-"
              + Long.toHexString(IommuIovaRange.LAST.get(range)));
    }
    text.add("aligned to " + IommuIoasIovaRanges.OUT_IOVA_ALIGNMENT.get(ranges));
    return text;
  }

  String option(int option, int operation, int object, long number) {
    var struct = IommuOption.STRUCT.allocate(guest.arena);
    IommuOption.OPTION_ID.set(struct, option);
    IommuOption.OP.set(struct, (short) operation);
    IommuOption.OBJECT_ID.set(struct, object);
    IommuOption.VAL64.set(struct, number);
    int result = ioctl(iommufd, Iommufd.IOMMU_OPTION, struct);
    return result == 0 && operation == Iommufd.IOMMU_OPTION_OP_GET
        ? "is " + IommuOption.VAL64.get(struct)
        : Guest.answer(result);
  }

  int table(int device, int object, int flags) {
    var alloc = IommuHwptAlloc.STRUCT.allocate(guest.arena);
    IommuHwptAlloc.FLAGS.set(alloc, flags);
    IommuHwptAlloc.DEV_ID.set(alloc, device);
    IommuHwptAlloc.PT_ID.set(alloc, object);
    int result = ioctl(iommufd, Iommufd.IOMMU_HWPT_ALLOC, alloc);
    return result < 0 ? result : IommuHwptAlloc.OUT_HWPT_ID.get(alloc);
  }

  String track(int table, boolean on) {
    var track = IommuHwptSetDirtyTracking.STRUCT.allocate(guest.arena);
    IommuHwptSetDirtyTracking.HWPT_ID.set(track, table);
    IommuHwptSetDirtyTracking.FLAGS.set(track, on ? Iommufd.IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0);
    return Guest.answer(ioctl(iommufd, Iommufd.IOMMU_HWPT_SET_DIRTY_TRACKING, track));
  }

  String dirty(
      int table, long iova, long length, long pageSize, @Nullable MemorySegment bitmap, int flags) {
    var get = IommuHwptGetDirtyBitmap.STRUCT.allocate(guest.arena);
    IommuHwptGetDirtyBitmap.HWPT_ID.set(get, table);
    IommuHwptGetDirtyBitmap.FLAGS.set(get, flags);
    IommuHwptGetDirtyBitmap.IOVA.set(get, iova);
    IommuHwptGetDirtyBitmap.LENGTH.set(get, length);
    IommuHwptGetDirtyBitmap.PAGE_SIZE.set(get, pageSize);
    IommuHwptGetDirtyBitmap.DATA.set(get, bitmap == null ? 8 : bitmap.address());
    return Guest.answer(ioctl(iommufd, Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP, get));
  }

  /** {@code VmPin} in kB. */
  long pinnedKilobytes() throws Exception {
    return kernel
        .readText("/proc/self/status")
        .lines()
        .filter(line -> line.startsWith("VmPin:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .sum();
  }

  @Override
  public void close() {
    guest.close();
  }
}

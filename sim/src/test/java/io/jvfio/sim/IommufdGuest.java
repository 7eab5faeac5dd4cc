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
    var bind = VfioDeviceBindIommufd.allocate(guest.arena);
    VfioDeviceBindIommufd.iommufd(bind, file);
    int result = ioctl(node, Vfio.VFIO_DEVICE_BIND_IOMMUFD, bind);
    return result < 0 ? result : VfioDeviceBindIommufd.outDevid(bind);
  }

  /** The number of the page table. */
  int attach(int node, int object) {
    var attach = VfioDeviceAttachIommufdPt.allocate(guest.arena);
    VfioDeviceAttachIommufdPt.ptId(attach, object);
    int result = ioctl(node, Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
    return result < 0 ? result : VfioDeviceAttachIommufdPt.ptId(attach);
  }

  String detach(int node) {
    var detach = VfioDeviceDetachIommufdPt.allocate(guest.arena);
    return Guest.answer(ioctl(node, Vfio.VFIO_DEVICE_DETACH_IOMMUFD_PT, detach));
  }

  String destroy(int object) {
    var destroy = IommuDestroy.allocate(guest.arena);
    IommuDestroy.id(destroy, object);
    return Guest.answer(ioctl(iommufd, Iommufd.IOMMU_DESTROY, destroy));
  }

  int ioas() {
    var alloc = IommuIoasAlloc.allocate(guest.arena);
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_ALLOC, alloc);
    return result < 0 ? result : IommuIoasAlloc.outIoasId(alloc);
  }

  String map(int ioas, long iova, long address, long length) {
    return Guest.answer(Math.min(0, map(ioas, ALL, iova, address, length)));
  }

  /** The address it was mapped at, or a negated errno. */
  long map(int ioas, int flags, long iova, long address, long length) {
    var map = IommuIoasMap.allocate(guest.arena);
    IommuIoasMap.flags(map, flags);
    IommuIoasMap.ioasId(map, ioas);
    IommuIoasMap.iova(map, iova);
    IommuIoasMap.userVa(map, address);
    IommuIoasMap.length(map, length);
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_MAP, map);
    return result < 0 ? result : IommuIoasMap.iova(map);
  }

  String copy(int target, long to, int source, long from, long length, int flags) {
    var copy = IommuIoasCopy.allocate(guest.arena);
    IommuIoasCopy.flags(copy, flags);
    IommuIoasCopy.dstIoasId(copy, target);
    IommuIoasCopy.dstIova(copy, to);
    IommuIoasCopy.srcIoasId(copy, source);
    IommuIoasCopy.srcIova(copy, from);
    IommuIoasCopy.length(copy, length);
    return Guest.answer(ioctl(iommufd, Iommufd.IOMMU_IOAS_COPY, copy));
  }

  /** How many bytes were unmapped, in hexadecimal, or the name of an error. */
  String unmap(int ioas, long iova, long length) {
    var unmap = IommuIoasUnmap.allocate(guest.arena);
    IommuIoasUnmap.ioasId(unmap, ioas);
    IommuIoasUnmap.iova(unmap, iova);
    IommuIoasUnmap.length(unmap, length);
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_UNMAP, unmap);
    return result < 0 ? Guest.answer(result) : Long.toHexString(IommuIoasUnmap.length(unmap));
  }

  /** The ranges, each as {@code start-last} in hexadecimal, and the alignment. */
  List<String> ranges(int ioas) {
    var ranges = IommuIoasIovaRanges.allocate(guest.arena);
    var array = guest.arena.allocate(IommuIovaRange.LAYOUT, 8);
    IommuIoasIovaRanges.ioasId(ranges, ioas);
    IommuIoasIovaRanges.numIovas(ranges, 8);
    IommuIoasIovaRanges.allowedIovas(ranges, array.address());
    int result = ioctl(iommufd, Iommufd.IOMMU_IOAS_IOVA_RANGES, ranges);
    var text = new ArrayList<String>();
    text.add(Guest.answer(result));
    for (int i = 0; i < IommuIoasIovaRanges.numIovas(ranges); i++) {
      var range = array.asSlice(i * IommuIovaRange.SIZE);
      text.add(
          Long.toHexString(IommuIovaRange.start(range))
              + "-"
              + Long.toHexString(IommuIovaRange.last(range)));
    }
    text.add("aligned to " + IommuIoasIovaRanges.outIovaAlignment(ranges));
    return text;
  }

  String option(int option, int operation, int object, long number) {
    var struct = IommuOption.allocate(guest.arena);
    IommuOption.optionId(struct, option);
    IommuOption.op(struct, (short) operation);
    IommuOption.objectId(struct, object);
    IommuOption.val64(struct, number);
    int result = ioctl(iommufd, Iommufd.IOMMU_OPTION, struct);
    return result == 0 && operation == Iommufd.IOMMU_OPTION_OP_GET
        ? "is " + IommuOption.val64(struct)
        : Guest.answer(result);
  }

  int table(int device, int object, int flags) {
    var alloc = IommuHwptAlloc.allocate(guest.arena);
    IommuHwptAlloc.flags(alloc, flags);
    IommuHwptAlloc.devId(alloc, device);
    IommuHwptAlloc.ptId(alloc, object);
    int result = ioctl(iommufd, Iommufd.IOMMU_HWPT_ALLOC, alloc);
    return result < 0 ? result : IommuHwptAlloc.outHwptId(alloc);
  }

  String track(int table, boolean on) {
    var track = IommuHwptSetDirtyTracking.allocate(guest.arena);
    IommuHwptSetDirtyTracking.hwptId(track, table);
    IommuHwptSetDirtyTracking.flags(track, on ? Iommufd.IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0);
    return Guest.answer(ioctl(iommufd, Iommufd.IOMMU_HWPT_SET_DIRTY_TRACKING, track));
  }

  String dirty(
      int table, long iova, long length, long pageSize, @Nullable MemorySegment bitmap, int flags) {
    var get = IommuHwptGetDirtyBitmap.allocate(guest.arena);
    IommuHwptGetDirtyBitmap.hwptId(get, table);
    IommuHwptGetDirtyBitmap.flags(get, flags);
    IommuHwptGetDirtyBitmap.iova(get, iova);
    IommuHwptGetDirtyBitmap.length(get, length);
    IommuHwptGetDirtyBitmap.pageSize(get, pageSize);
    IommuHwptGetDirtyBitmap.data(get, bitmap == null ? 8 : bitmap.address());
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

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_GET_DEVICE_FD;
import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_SET_CONTAINER;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DISABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_ENABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_MAP_DMA;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_UNMAP_DMA;
import static io.jvfio.linux.uapi.Vfio.VFIO_SET_IOMMU;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.VfioIommuSpaprRegisterMemory;
import io.jvfio.linux.uapi.VfioIommuSpaprTceCreate;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import io.jvfio.linux.uapi.VfioIommuSpaprTceRemove;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A program on a simulated host that makes one system call after the other and says what each
 * answered: a number, or the name of an error.
 */
final class Guest implements AutoCloseable {
  static final int READ = 1;
  static final int WRITE = 2;
  static final int READ_WRITE = READ | WRITE;

  final SimulatedHost host;
  final Kernel kernel;
  final Arena arena = Arena.ofShared();

  Guest(String name) {
    this(name, HostOptions.defaults());
  }

  Guest(String name, HostOptions options) {
    this.host = SimulatedHosts.open(name, options);
    this.kernel = host.kernel();
  }

  /** A result as {@code measured.md} writes it. */
  static String answer(long result) {
    return result < 0 ? Errno.ofResult(result).symbol() : Long.toString(result);
  }

  int open(String path) {
    return kernel.open(path, Kernel.O_RDWR);
  }

  int container() {
    return open("/dev/vfio/vfio");
  }

  int group(int id) {
    return open("/dev/vfio/" + id);
  }

  /** A container of one type with one open group in it. */
  int container(int group, int type) {
    int container = container();
    setContainer(group, container);
    setIommu(container, type);
    return container;
  }

  int ioctl(int fd, Ioctl command, long argument) {
    return kernel.ioctl(fd, command, argument);
  }

  String setContainer(int group, int container) {
    var fd = arena.allocate(4);
    fd.set(ValueLayout.JAVA_INT, 0, container);
    return answer(kernel.ioctl(group, VFIO_GROUP_SET_CONTAINER, fd));
  }

  String setIommu(int container, int type) {
    return answer(kernel.ioctl(container, VFIO_SET_IOMMU, type));
  }

  int device(int group, String address) {
    return kernel.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, arena.allocateFrom(address));
  }

  long memory(long byteSize) {
    return kernel.mmap(
        byteSize,
        Kernel.PROT_READ | Kernel.PROT_WRITE,
        Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS,
        -1,
        0);
  }

  MemorySegment view(long address, long byteSize) {
    return kernel.memory(address, byteSize, arena);
  }

  String map(int container, long iova, long vaddr, long size) {
    return map(container, iova, vaddr, size, READ_WRITE);
  }

  String map(int container, long iova, long vaddr, long size, int flags) {
    var map = VfioIommuType1DmaMap.STRUCT.allocate(arena);
    VfioIommuType1DmaMap.FLAGS.set(map, flags);
    VfioIommuType1DmaMap.IOVA.set(map, iova);
    VfioIommuType1DmaMap.VADDR.set(map, vaddr);
    VfioIommuType1DmaMap.SIZE.set(map, size);
    return answer(kernel.ioctl(container, VFIO_IOMMU_MAP_DMA, map));
  }

  String unmap(int container, long iova, long size) {
    return answer(kernel.ioctl(container, VFIO_IOMMU_UNMAP_DMA, unmapStruct(iova, size, 0)));
  }

  /** How many bytes an unmap says it took away, or the name of its error. */
  String unmapped(int container, long iova, long size, int flags) {
    var unmap = unmapStruct(iova, size, flags);
    int result = kernel.ioctl(container, VFIO_IOMMU_UNMAP_DMA, unmap);
    return result < 0 ? answer(result) : Long.toHexString(VfioIommuType1DmaUnmap.SIZE.get(unmap));
  }

  private MemorySegment unmapStruct(long iova, long size, int flags) {
    var unmap = VfioIommuType1DmaUnmap.STRUCT.allocate(arena);
    VfioIommuType1DmaUnmap.FLAGS.set(unmap, flags);
    VfioIommuType1DmaUnmap.IOVA.set(unmap, iova);
    VfioIommuType1DmaUnmap.SIZE.set(unmap, size);
    return unmap;
  }

  String enable(int container) {
    return answer(kernel.ioctl(container, VFIO_IOMMU_ENABLE, 0));
  }

  String disable(int container) {
    return answer(kernel.ioctl(container, VFIO_IOMMU_DISABLE, 0));
  }

  String register(int container, long vaddr, long size) {
    return answer(
        kernel.ioctl(container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY, rangeStruct(vaddr, size)));
  }

  String unregister(int container, long vaddr, long size) {
    return answer(
        kernel.ioctl(container, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, rangeStruct(vaddr, size)));
  }

  private MemorySegment rangeStruct(long vaddr, long size) {
    var range = VfioIommuSpaprRegisterMemory.STRUCT.allocate(arena);
    VfioIommuSpaprRegisterMemory.VADDR.set(range, vaddr);
    VfioIommuSpaprRegisterMemory.SIZE.set(range, size);
    return range;
  }

  /** As {@code measured.md} writes it: the start follows a result of 0. */
  String create(int container, int shift, long size, int levels) {
    var create = VfioIommuSpaprTceCreate.STRUCT.allocate(arena);
    VfioIommuSpaprTceCreate.PAGE_SHIFT.set(create, shift);
    VfioIommuSpaprTceCreate.WINDOW_SIZE.set(create, size);
    VfioIommuSpaprTceCreate.LEVELS.set(create, levels);
    int result = kernel.ioctl(container, VFIO_IOMMU_SPAPR_TCE_CREATE, create);
    return result == 0
        ? "0 · start " + Long.toHexString(VfioIommuSpaprTceCreate.START_ADDR.get(create))
        : answer(result);
  }

  String remove(int container, long address) {
    var remove = VfioIommuSpaprTceRemove.STRUCT.allocate(arena);
    VfioIommuSpaprTceRemove.START_ADDR.set(remove, address);
    return answer(kernel.ioctl(container, VFIO_IOMMU_SPAPR_TCE_REMOVE, remove));
  }

  /** As {@code measured.md} writes it. */
  String spaprInfo(int container) {
    var info = VfioIommuSpaprTceInfo.STRUCT.allocate(arena);
    int result = kernel.ioctl(container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, info);
    return result != 0
        ? answer(result)
        : "0 · flags "
            + VfioIommuSpaprTceInfo.FLAGS.get(info)
            + " win "
            + Integer.toHexString(VfioIommuSpaprTceInfo.DMA32_WINDOW_START.get(info))
            + "+"
            + Integer.toHexString(VfioIommuSpaprTceInfo.DMA32_WINDOW_SIZE.get(info))
            + " ddw pgsizes "
            + Long.toHexString(VfioIommuSpaprTceInfo.PGSIZES.get(info))
            + " max_win "
            + Integer.toUnsignedString(
                VfioIommuSpaprTceInfo.MAX_DYNAMIC_WINDOWS_SUPPORTED.get(info))
            + " levels "
            + VfioIommuSpaprTceInfo.LEVELS.get(info);
  }

  /** {@code VmLck} in kB. */
  long lockedKilobytes() {
    return host.resources().lockedBytes() >> 10;
  }

  void close(int... fds) {
    for (int fd : fds) {
      kernel.close(fd);
    }
  }

  @Override
  public void close() {
    arena.close();
    host.close();
  }
}

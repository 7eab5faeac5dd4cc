// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Iommufd.IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_HWPT_DATA_NONE;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_HW_CAP_DIRTY_TRACKING;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_HW_INFO_TYPE_INTEL_VTD;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_IOAS_MAP_READABLE;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_IOAS_MAP_WRITEABLE;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_HUGE_PAGES;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_OP_GET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_OP_SET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_RLIMIT_MODE;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_CLEAR;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_GET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_SET;
import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.IommuDestroy;
import io.jvfio.linux.uapi.IommuHwInfo;
import io.jvfio.linux.uapi.IommuHwptAlloc;
import io.jvfio.linux.uapi.IommuHwptGetDirtyBitmap;
import io.jvfio.linux.uapi.IommuHwptSetDirtyTracking;
import io.jvfio.linux.uapi.IommuIoasAlloc;
import io.jvfio.linux.uapi.IommuIoasAllowIovas;
import io.jvfio.linux.uapi.IommuIoasCopy;
import io.jvfio.linux.uapi.IommuIoasIovaRanges;
import io.jvfio.linux.uapi.IommuIoasMap;
import io.jvfio.linux.uapi.IommuIoasUnmap;
import io.jvfio.linux.uapi.IommuIovaRange;
import io.jvfio.linux.uapi.IommuOption;
import io.jvfio.linux.uapi.IommuVfioIoas;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.memory.StrictStruct;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * An open {@code /dev/iommu}: objects with numbers, the groups whose devices are bound to it, and
 * the address space behind its container commands. A group or a device that uses it keeps it open.
 * Fault queues and nested page tables are not simulated. Source: {@code drivers/iommu/iommufd/} of
 * Linux 6.12.
 */
public final class Iommufd extends OpenFile {
  private static final int MAP_FLAGS =
      IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE;
  private static final int NEST_PARENT = 1;
  private static final int FAULT_ID = 4;

  /** Up to and with {@code __reserved}: what is after it came later. */
  private static final long HWPT_ALLOC_MINIMUM = 24;

  /** Bytes of Intel's data in GET_HW_INFO, and the one flag that the kernel always sets in it. */
  private static final int VTD_SIZE = 24;

  private static final int VTD_FLAGS = 1;

  /** What is after the width of a PASID in GET_HW_INFO, and must be zero. */
  private static final long HW_INFO_RESERVED = 29;

  private final HostProcess process;
  private final TreeMap<Integer, IommufdObject> objects = new TreeMap<>();
  private final Map<IommuGroup, IommufdGroup> groups = new HashMap<>();
  private final IommufdContainer container;
  private final Collection<Iommufd> open;
  private boolean countsByProcess;

  /**
   * An iommufd without objects.
   *
   * @param open those of the host, which this is one of until it ends
   */
  Iommufd(HostProcess process, Collection<Iommufd> open) {
    super("/dev/iommu");
    this.process = process;
    this.open = open;
    this.container = new IommufdContainer(process, this);
    open.add(this);
  }

  /** The last user is gone. Objects go in an order in which none is needed any more. */
  @Override
  protected void release() {
    while (!objects.isEmpty()) {
      for (var object : List.copyOf(objects.values())) {
        if (!object.isUsed()) {
          remove(object);
        }
      }
    }
    open.remove(this);
  }

  /** Its container commands. */
  public IommufdContainer container() {
    return container;
  }

  /** Bytes that its hardware page tables have. */
  long mappedBytes() {
    long bytes = 0;
    for (var object : objects.values()) {
      bytes += object instanceof Ioas ioas ? ioas.mappedBytes() : 0;
    }
    return bytes;
  }

  /** The object with a number, or null. */
  @Nullable IommufdObject find(int id) {
    return objects.get(id);
  }

  private <T> @Nullable T find(int id, Class<T> kind) {
    var object = objects.get(id);
    return kind.isInstance(object) ? kind.cast(object) : null;
  }

  private int freeId() {
    int id = 1;
    for (int taken : objects.keySet()) {
      if (taken != id) {
        break;
      }
      id++;
    }
    return id;
  }

  /** Takes an object's number away and ends it. */
  void remove(IommufdObject object) {
    objects.remove(object.id());
    container.forget(object);
    object.destroy();
  }

  /** Ends a table that the kernel made for devices of which none is left. */
  void destroyIfUnused(Hwpt table) {
    if (table.isAutomatic() && !table.isUsed()) {
      remove(table);
    }
  }

  Ioas newIoas() {
    var ioas = new Ioas(process, freeId());
    objects.put(ioas.id(), ioas);
    return ioas;
  }

  /** A new table, of which the address space does not know yet. */
  Hwpt newTable(Ioas ioas, boolean canTrack) {
    var table =
        new Hwpt(process, freeId(), ioas, requireNonNull(process.description().paging()), canTrack);
    objects.put(table.id(), table);
    return table;
  }

  /** The result of binding: a device, or a negated errno. */
  public record Bound(@Nullable IommufdDevice device, int error) {
    static Bound failed(Errno errno) {
      return new Bound(null, errno.result());
    }
  }

  /** Binds a device of a group, which must belong to nobody else. */
  public Bound bind(@Nullable IommuGroup group) {
    if (group == null || group.isNoIommu()) {
      return Bound.failed(Errno.ENODEV);
    }
    if (!process.settings().interruptsIsolated) {
      return Bound.failed(Errno.EPERM);
    }
    if (group.owner() != null ? group.owner() != this : !group.isViable()) {
      return Bound.failed(Errno.EPERM);
    }
    group.setOwner(this);
    var known = groups.computeIfAbsent(group, IommufdGroup::new);
    var bound = new IommufdDevice(this, freeId(), known);
    objects.put(bound.id(), bound);
    retain();
    return new Bound(bound, 0);
  }

  /** A device is not bound any more. */
  void unbound(IommufdGroup known) {
    if (!known.isBound()) {
      groups.remove(known.group());
      known.group().setOwner(null);
    }
    drop();
  }

  /** Memory of the process, whose pages are counted as the options say. */
  private Ioas.Slice slice(long address, long byteSize, boolean write) {
    long start = address & -process.pageSize();
    var account =
        process.has(HostSettings.CAP_IPC_LOCK)
            ? null
            : countsByProcess ? process.locked() : process.lockedByUser();
    return new Ioas.Slice(new IoasPages(process, start, write, account), address - start, byteSize);
  }

  /** Maps memory of the process. */
  Ioas.Mapped map(
      Ioas ioas, long address, long byteSize, boolean read, boolean write, Ioas.FixedIova fixed) {
    if (byteSize == 0 || Long.compareUnsigned(byteSize, -1 - process.pageSize()) > 0) {
      return new Ioas.Mapped(Errno.EINVAL.result(), 0);
    }
    if (Long.compareUnsigned(address + byteSize, address) < 0) {
      return new Ioas.Mapped(Errno.EOVERFLOW.result(), 0);
    }
    return ioas.map(List.of(slice(address, byteSize, write)), byteSize, read, write, fixed);
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case IommufdCommand.DESTROY -> StrictStruct.with(argument, IommuDestroy.BYTES, this::destroy);
      case IommufdCommand.IOAS_ALLOC ->
          StrictStruct.with(argument, IommuIoasAlloc.BYTES, this::ioasAlloc);
      case IommufdCommand.IOAS_ALLOW_IOVAS ->
          StrictStruct.with(argument, IommuIoasAllowIovas.BYTES, this::allowIovas);
      case IommufdCommand.IOAS_COPY -> StrictStruct.with(argument, IommuIoasCopy.BYTES, this::copy);
      case IommufdCommand.IOAS_IOVA_RANGES ->
          StrictStruct.with(argument, IommuIoasIovaRanges.BYTES, this::iovaRanges);
      case IommufdCommand.IOAS_MAP -> StrictStruct.with(argument, IommuIoasMap.BYTES, this::map);
      case IommufdCommand.IOAS_UNMAP ->
          StrictStruct.with(argument, IommuIoasUnmap.BYTES, this::unmap);
      case IommufdCommand.OPTION -> StrictStruct.with(argument, IommuOption.BYTES, this::option);
      case IommufdCommand.VFIO_IOAS ->
          StrictStruct.with(argument, IommuVfioIoas.BYTES, this::vfioIoas);
      case IommufdCommand.HWPT_ALLOC ->
          StrictStruct.with(argument, HWPT_ALLOC_MINIMUM, IommuHwptAlloc.BYTES, this::hwptAlloc);
      case IommufdCommand.GET_HW_INFO ->
          StrictStruct.with(argument, HW_INFO_RESERVED + 3, IommuHwInfo.BYTES, this::hwInfo);
      case IommufdCommand.HWPT_SET_DIRTY_TRACKING ->
          StrictStruct.with(argument, IommuHwptSetDirtyTracking.BYTES, this::setDirtyTracking);
      case IommufdCommand.HWPT_GET_DIRTY_BITMAP ->
          StrictStruct.with(argument, IommuHwptGetDirtyBitmap.BYTES, this::dirtyBitmap);
      default -> container.ioctl(command, argument);
    };
  }

  private int destroy(StrictStruct struct) {
    var object = find(IommuDestroy.ID.get(struct.memory()));
    if (object == null) {
      return Errno.ENOENT.result();
    }
    if (object.isUsed()) {
      return Errno.EBUSY.result();
    }
    remove(object);
    return 0;
  }

  private int ioasAlloc(StrictStruct struct) throws UserFault {
    if (IommuIoasAlloc.FLAGS.get(struct.memory()) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    IommuIoasAlloc.OUT_IOAS_ID.set(struct.memory(), freeId());
    struct.respond();
    newIoas();
    return 0;
  }

  private int allowIovas(StrictStruct struct) throws UserFault {
    if (struct.reserved(IommuIoasAllowIovas.STRUCT.layout()) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    var ioas = find(IommuIoasAllowIovas.IOAS_ID.get(struct.memory()), Ioas.class);
    if (ioas == null) {
      return Errno.ENOENT.result();
    }
    int count = IommuIoasAllowIovas.NUM_IOVAS.get(struct.memory());
    long address = IommuIoasAllowIovas.ALLOWED_IOVAS.get(struct.memory());
    var ranges = new ArrayList<IoasRanges.Range>();
    for (int i = 0; Integer.compareUnsigned(i, count) < 0; i++) {
      var element =
          process.memory().user(address + i * IommuIovaRange.BYTES, IommuIovaRange.BYTES, false);
      long start = IommuIovaRange.START.get(element);
      long last = IommuIovaRange.LAST.get(element);
      if (Long.compareUnsigned(start, last) >= 0
          || ranges.stream().anyMatch(range -> range.meets(start, last))) {
        return Errno.EINVAL.result();
      }
      ranges.add(new IoasRanges.Range(start, last, this));
    }
    return ioas.allow(ranges);
  }

  private int iovaRanges(StrictStruct struct) throws UserFault {
    var ranges = struct.memory();
    if (struct.reserved(IommuIoasIovaRanges.STRUCT.layout()) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    var ioas = find(IommuIoasIovaRanges.IOAS_ID.get(ranges), Ioas.class);
    if (ioas == null) {
      return Errno.ENOENT.result();
    }
    int room = IommuIoasIovaRanges.NUM_IOVAS.get(ranges);
    long address = IommuIoasIovaRanges.ALLOWED_IOVAS.get(ranges);
    int count = 0;
    for (var range : ioas.ranges()) {
      if (Integer.compareUnsigned(count, room) < 0) {
        var element =
            process
                .memory()
                .user(address + count * IommuIovaRange.BYTES, IommuIovaRange.BYTES, true);
        IommuIovaRange.START.set(element, range.start());
        IommuIovaRange.LAST.set(element, range.last());
      }
      count++;
    }
    IommuIoasIovaRanges.NUM_IOVAS.set(ranges, count);
    IommuIoasIovaRanges.OUT_IOVA_ALIGNMENT.set(ranges, ioas.alignment());
    struct.respond();
    return Integer.compareUnsigned(count, room) > 0 ? Errno.EMSGSIZE.result() : 0;
  }

  /** The errno for what a caller asks of a mapping, negated, or 0. */
  private static int mapError(int flags, long reserved, long... numbers) {
    if ((flags & ~MAP_FLAGS) != 0 || reserved != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    for (long number : numbers) {
      if (number == -1) {
        return Errno.EOVERFLOW.result();
      }
    }
    return (flags & (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)) == 0
        ? Errno.EINVAL.result()
        : 0;
  }

  private int map(StrictStruct struct) throws UserFault {
    var map = struct.memory();
    int flags = IommuIoasMap.FLAGS.get(map);
    int error =
        mapError(
            flags,
            struct.reserved(IommuIoasMap.STRUCT.layout()),
            IommuIoasMap.IOVA.get(map),
            IommuIoasMap.LENGTH.get(map));
    if (error != 0) {
      return error;
    }
    var ioas = find(IommuIoasMap.IOAS_ID.get(map), Ioas.class);
    if (ioas == null) {
      return Errno.ENOENT.result();
    }
    var mapped =
        map(
            ioas,
            IommuIoasMap.USER_VA.get(map),
            IommuIoasMap.LENGTH.get(map),
            (flags & IOMMU_IOAS_MAP_READABLE) != 0,
            (flags & IOMMU_IOAS_MAP_WRITEABLE) != 0,
            new Ioas.FixedIova(
                (flags & IOMMU_IOAS_MAP_FIXED_IOVA) != 0, IommuIoasMap.IOVA.get(map)));
    if (mapped.error() != 0) {
      return mapped.error();
    }
    IommuIoasMap.IOVA.set(map, mapped.iova());
    return struct.respond();
  }

  private int copy(StrictStruct struct) throws UserFault {
    var copy = struct.memory();
    int flags = IommuIoasCopy.FLAGS.get(copy);
    int error =
        mapError(
            flags,
            0,
            IommuIoasCopy.LENGTH.get(copy),
            IommuIoasCopy.SRC_IOVA.get(copy),
            IommuIoasCopy.DST_IOVA.get(copy));
    if (error != 0) {
      return error;
    }
    var source = find(IommuIoasCopy.SRC_IOAS_ID.get(copy), Ioas.class);
    if (source == null) {
      return Errno.ENOENT.result();
    }
    var found = source.find(IommuIoasCopy.SRC_IOVA.get(copy), IommuIoasCopy.LENGTH.get(copy));
    if (found.error() != 0) {
      return found.error();
    }
    var target = find(IommuIoasCopy.DST_IOAS_ID.get(copy), Ioas.class);
    if (target == null) {
      return Errno.ENOENT.result();
    }
    var mapped =
        target.map(
            found.slices(),
            IommuIoasCopy.LENGTH.get(copy),
            (flags & IOMMU_IOAS_MAP_READABLE) != 0,
            (flags & IOMMU_IOAS_MAP_WRITEABLE) != 0,
            new Ioas.FixedIova(
                (flags & IOMMU_IOAS_MAP_FIXED_IOVA) != 0, IommuIoasCopy.DST_IOVA.get(copy)));
    if (mapped.error() != 0) {
      return mapped.error();
    }
    IommuIoasCopy.DST_IOVA.set(copy, mapped.iova());
    return struct.respond();
  }

  private int unmap(StrictStruct struct) throws UserFault {
    var ioas = find(IommuIoasUnmap.IOAS_ID.get(struct.memory()), Ioas.class);
    if (ioas == null) {
      return Errno.ENOENT.result();
    }
    long iova = IommuIoasUnmap.IOVA.get(struct.memory());
    long length = IommuIoasUnmap.LENGTH.get(struct.memory());
    boolean all = iova == 0 && length == -1;
    if (!all && (iova == -1 || length == -1)) {
      return Errno.EOVERFLOW.result();
    }
    var unmapped = all ? ioas.unmapAll() : ioas.unmap(iova, length);
    if (unmapped.error() != 0) {
      return unmapped.error();
    }
    if (!all && unmapped.byteSize() == 0) {
      return Errno.ENOENT.result();
    }
    IommuIoasUnmap.LENGTH.set(struct.memory(), unmapped.byteSize());
    return struct.respond();
  }

  private int option(StrictStruct struct) throws UserFault {
    var option = struct.memory();
    if (struct.reserved(IommuOption.STRUCT.layout()) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    int error =
        switch (IommuOption.OPTION_ID.get(option)) {
          case IOMMU_OPTION_RLIMIT_MODE -> limitMode(option);
          case IOMMU_OPTION_HUGE_PAGES -> hugePages(option);
          default -> Errno.EOPNOTSUPP.result();
        };
    return error == 0 ? struct.respond() : error;
  }

  private int limitMode(MemorySegment option) {
    if (IommuOption.OBJECT_ID.get(option) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    switch (IommuOption.OP.get(option)) {
      case IOMMU_OPTION_OP_GET -> IommuOption.VAL64.set(option, countsByProcess ? 1 : 0);
      case IOMMU_OPTION_OP_SET -> {
        if (!process.has(HostSettings.CAP_SYS_RESOURCE)) {
          return Errno.EPERM.result();
        }
        if (!objects.isEmpty()) {
          return Errno.EBUSY.result();
        }
        long value = IommuOption.VAL64.get(option);
        if (value != 0 && value != 1) {
          return Errno.EINVAL.result();
        }
        countsByProcess = value == 1;
      }
      default -> {
        return Errno.EOPNOTSUPP.result();
      }
    }
    return 0;
  }

  private int hugePages(MemorySegment option) {
    var ioas = find(IommuOption.OBJECT_ID.get(option), Ioas.class);
    if (ioas == null) {
      return Errno.ENOENT.result();
    }
    switch (IommuOption.OP.get(option)) {
      case IOMMU_OPTION_OP_GET -> IommuOption.VAL64.set(option, ioas.hasSmallPages() ? 0 : 1);
      case IOMMU_OPTION_OP_SET -> {
        long value = IommuOption.VAL64.get(option);
        if (value == 0) {
          return ioas.forbidLargePages();
        }
        if (value != 1) {
          return Errno.EINVAL.result();
        }
        ioas.allowLargePages();
      }
      default -> {
        return Errno.EOPNOTSUPP.result();
      }
    }
    return 0;
  }

  private int vfioIoas(StrictStruct struct) throws UserFault {
    if (struct.reserved(IommuVfioIoas.STRUCT.layout()) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    switch (IommuVfioIoas.OP.get(struct.memory())) {
      case IOMMU_VFIO_IOAS_GET -> {
        var ioas = container.ioas();
        if (ioas == null) {
          return Errno.ENODEV.result();
        }
        IommuVfioIoas.IOAS_ID.set(struct.memory(), ioas.id());
        return struct.respond();
      }
      case IOMMU_VFIO_IOAS_SET -> {
        var ioas = find(IommuVfioIoas.IOAS_ID.get(struct.memory()), Ioas.class);
        if (ioas == null) {
          return Errno.ENOENT.result();
        }
        container.use(ioas);
      }
      case IOMMU_VFIO_IOAS_CLEAR -> container.use(null);
      default -> {
        return Errno.EOPNOTSUPP.result();
      }
    }
    return 0;
  }

  private int hwptAlloc(StrictStruct struct) throws UserFault {
    var alloc = struct.memory();
    if (struct.reserved(IommuHwptAlloc.STRUCT.layout()) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    boolean hasData = IommuHwptAlloc.DATA_LEN.get(alloc) != 0;
    if ((IommuHwptAlloc.DATA_TYPE.get(alloc) != IOMMU_HWPT_DATA_NONE) != hasData) {
      return Errno.EINVAL.result();
    }
    if (find(IommuHwptAlloc.DEV_ID.get(alloc), IommufdDevice.class) == null) {
      return Errno.ENOENT.result();
    }
    int flags = IommuHwptAlloc.FLAGS.get(alloc);
    return switch (find(IommuHwptAlloc.PT_ID.get(alloc))) {
      case Ioas ioas -> newTable(struct, ioas, flags, hasData);
      // No page table here can be the parent of another one.
      case Hwpt _ ->
          ((flags & ~FAULT_ID) != 0 || !hasData ? Errno.EOPNOTSUPP : Errno.EINVAL).result();
      case null, default -> Errno.EINVAL.result();
    };
  }

  private int newTable(StrictStruct struct, Ioas ioas, int flags, boolean hasData)
      throws UserFault {
    boolean tracks = (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) != 0;
    if ((flags & ~(NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING)) != 0
        || (tracks && !process.settings().tracksDirtyPages)
        || (flags & NEST_PARENT) != 0
        || hasData) {
      return Errno.EOPNOTSUPP.result();
    }
    var table = newTable(ioas, tracks);
    int error = ioas.add(table);
    if (error != 0) {
      remove(table);
      return error;
    }
    IommuHwptAlloc.OUT_HWPT_ID.set(struct.memory(), table.id());
    try {
      return struct.respond();
    } catch (UserFault e) {
      remove(table);
      throw e;
    }
  }

  private int hwInfo(StrictStruct struct) throws UserFault {
    var info = struct.memory();
    long reserved = 0;
    for (long at = HW_INFO_RESERVED; at < HW_INFO_RESERVED + 3; at++) {
      reserved |= info.get(ValueLayout.JAVA_BYTE, at);
    }
    if (IommuHwInfo.FLAGS.get(info) != 0 || reserved != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    if (find(IommuHwInfo.DEV_ID.get(info), IommufdDevice.class) == null) {
      return Errno.ENOENT.result();
    }
    boolean tracks = process.settings().tracksDirtyPages;
    var data = requireNonNull(process.description().iommufd());
    var vtd = MemorySegment.ofArray(new long[VTD_SIZE / Long.BYTES]);
    vtd.set(Layouts.U32, 0, VTD_FLAGS);
    vtd.set(Layouts.U64, 8, data.capabilities());
    vtd.set(
        Layouts.U64,
        16,
        data.extendedCapabilities() | (tracks ? HostDescription.IommufdSupport.DIRTY_TRACKING : 0));
    long room = Integer.toUnsignedLong(IommuHwInfo.DATA_LEN.get(info));
    if (room > 0) {
      var target = process.memory().user(IommuHwInfo.DATA_UPTR.get(info), room, true);
      long copied = Math.min(room, VTD_SIZE);
      MemorySegment.copy(vtd, 0, target, 0, copied);
      target.asSlice(copied).fill((byte) 0);
    }
    IommuHwInfo.DATA_LEN.set(info, VTD_SIZE);
    IommuHwInfo.OUT_DATA_TYPE.set(info, IOMMU_HW_INFO_TYPE_INTEL_VTD);
    IommuHwInfo.OUT_MAX_PASID_LOG2.set(info, (byte) 0);
    IommuHwInfo.OUT_CAPABILITIES.set(info, tracks ? IOMMU_HW_CAP_DIRTY_TRACKING : 0);
    return struct.respond();
  }

  private int setDirtyTracking(StrictStruct struct) {
    int flags = IommuHwptSetDirtyTracking.FLAGS.get(struct.memory());
    if ((flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    var table = find(IommuHwptSetDirtyTracking.HWPT_ID.get(struct.memory()), Hwpt.class);
    return table == null
        ? Errno.ENOENT.result()
        : table.track((flags & IOMMU_HWPT_DIRTY_TRACKING_ENABLE) != 0);
  }

  private int dirtyBitmap(StrictStruct struct) {
    var get = struct.memory();
    int flags = IommuHwptGetDirtyBitmap.FLAGS.get(get);
    if ((flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) != 0
        || struct.reserved(IommuHwptGetDirtyBitmap.STRUCT.layout()) != 0) {
      return Errno.EOPNOTSUPP.result();
    }
    var table = find(IommuHwptGetDirtyBitmap.HWPT_ID.get(get), Hwpt.class);
    return table == null
        ? Errno.ENOENT.result()
        : table.dirtyPages(
            IommuHwptGetDirtyBitmap.IOVA.get(get),
            IommuHwptGetDirtyBitmap.LENGTH.get(get),
            IommuHwptGetDirtyBitmap.PAGE_SIZE.get(get),
            IommuHwptGetDirtyBitmap.DATA.get(get),
            (flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) == 0);
  }
}

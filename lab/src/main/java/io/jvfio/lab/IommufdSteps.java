// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Operand.value;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;

/**
 * The words for iommufds and for devices with nodes of their own. Each adds one step to others
 * unless it says otherwise. An object is kept under a name, and {@code value(name)} is its number.
 */
final class IommufdSteps {
  static final int FIXED = Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA;
  static final int WRITE = Iommufd.IOMMU_IOAS_MAP_WRITEABLE;
  static final int READ = Iommufd.IOMMU_IOAS_MAP_READABLE;
  static final int ALL = FIXED | WRITE | READ;

  private final Steps steps;
  private final String iommufd;
  private final LongUnaryOperator sizes;

  private IommufdSteps(Steps steps, String iommufd, LongUnaryOperator sizes) {
    this.steps = steps;
    this.iommufd = iommufd;
    this.sizes = sizes;
  }

  /**
   * Words about one iommufd.
   *
   * @param sizes what each struct says of its size, for the size that is right
   */
  static IommufdSteps of(Steps steps, String iommufd, LongUnaryOperator sizes) {
    return new IommufdSteps(steps, iommufd, sizes);
  }

  /** A sequence whose words are about the iommufd {@code f}, unless they name another. */
  static Sequence sequence(String name, Consumer<IommufdSteps> body) {
    return Steps.sequence(name, steps -> body.accept(of(steps, "f", size -> size)));
  }

  /** Steps of any other kind. */
  IommufdSteps then(Consumer<Steps> others) {
    others.accept(steps);
    return this;
  }

  /**
   * An ioctl with a struct.
   *
   * @param keep which output is kept under which name
   * @param fields names, each followed by a {@code Long}, an {@code Integer} or an {@link Operand}
   */
  private IommufdSteps call(
      String file, Ioctl command, Shape shape, Map<String, String> keep, Object... fields) {
    steps.structured(
        file,
        command,
        shape,
        keep,
        given -> {
          for (int i = 0; i < fields.length; i += 2) {
            var operand =
                fields[i + 1] instanceof Number plain
                    ? number(
                        isSize(fields[i])
                            ? sizes.applyAsLong(plain.longValue())
                            : plain.longValue())
                    : (Operand) fields[i + 1];
            given.put((String) fields[i], operand);
          }
        });
    return this;
  }

  private static boolean isSize(Object field) {
    return field.equals("size") || field.equals("argsz");
  }

  IommufdSteps iommufd(String file) {
    steps.open(file, "/dev/iommu");
    return this;
  }

  IommufdSteps node(String file, int ordinal) {
    steps.open(file, "/dev/vfio/devices/{v" + ordinal + "}");
    return this;
  }

  IommufdSteps close(String file) {
    steps.close(file);
    return this;
  }

  IommufdSteps memory(String memory, long byteSize) {
    steps.memory(memory, byteSize);
    return this;
  }

  IommufdSteps pinned() {
    steps.pinned();
    return this;
  }

  /** Binds a device and keeps its number. */
  IommufdSteps bind(String device, String file, String name) {
    return call(
        device,
        Vfio.VFIO_DEVICE_BIND_IOMMUFD,
        Shape.BIND_IOMMUFD,
        Map.of("out_devid", name),
        "argsz",
        16,
        "iommufd",
        new Operand.Descriptor(file));
  }

  IommufdSteps bind(String device, long argsz, int flags, Operand file) {
    return call(
        device,
        Vfio.VFIO_DEVICE_BIND_IOMMUFD,
        Shape.BIND_IOMMUFD,
        Map.of(),
        "argsz",
        argsz,
        "flags",
        flags,
        "iommufd",
        file);
  }

  IommufdSteps attach(String device, String object) {
    return attach(device, value(object), 12, 0);
  }

  IommufdSteps attach(String device, Operand object, long argsz, int flags) {
    return call(
        device,
        Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT,
        Shape.ATTACH_IOMMUFD,
        Map.of(),
        "argsz",
        argsz,
        "flags",
        flags,
        "pt_id",
        object);
  }

  /** Attaches a device and keeps the number of its page table. */
  IommufdSteps attachAs(String table, String device, String object) {
    return attachAs(table, device, value(object));
  }

  IommufdSteps attachAs(String table, String device, Operand object) {
    return call(
        device,
        Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT,
        Shape.ATTACH_IOMMUFD,
        Map.of("pt_id", table),
        "argsz",
        12,
        "pt_id",
        object);
  }

  IommufdSteps detach(String device) {
    return detach(device, 8, 0);
  }

  IommufdSteps detach(String device, long argsz, int flags) {
    return call(
        device,
        Vfio.VFIO_DEVICE_DETACH_IOMMUFD_PT,
        Shape.DETACH_IOMMUFD,
        Map.of(),
        "argsz",
        argsz,
        "flags",
        flags);
  }

  IommufdSteps destroy(Operand object) {
    return destroy(object, 8);
  }

  IommufdSteps destroy(Operand object, long size) {
    return call(
        iommufd, Iommufd.IOMMU_DESTROY, Shape.DESTROY, Map.of(), "size", size, "id", object);
  }

  IommufdSteps ioas(String name) {
    return ioas(iommufd, name);
  }

  IommufdSteps ioas(String file, String name) {
    return call(
        file, Iommufd.IOMMU_IOAS_ALLOC, Shape.IOAS_ALLOC, Map.of("out_ioas_id", name), "size", 12);
  }

  IommufdSteps ioas(long size, int flags) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_ALLOC,
        Shape.IOAS_ALLOC,
        Map.of(),
        "size",
        size,
        "flags",
        flags);
  }

  /** One field longer than any kernel knows. */
  IommufdSteps ioasWithTail(int tail) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_ALLOC,
        Shape.IOAS_ALLOC_LONGER,
        Map.of(),
        "size",
        16,
        "tail",
        tail);
  }

  IommufdSteps allow(String ioas, int count, Operand ranges) {
    return allow(value(ioas), count, 0, ranges);
  }

  IommufdSteps allow(Operand ioas, int count, int reserved, Operand ranges) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_ALLOW_IOVAS,
        Shape.ALLOW_IOVAS,
        Map.of(),
        "size",
        24,
        "ioas_id",
        ioas,
        "num_iovas",
        count,
        "__reserved",
        reserved,
        "allowed_iovas",
        ranges);
  }

  IommufdSteps ranges(String ioas, int room, Operand ranges) {
    return ranges(value(ioas), room, 0, 32, ranges);
  }

  IommufdSteps ranges(Operand ioas, int room, int reserved, long size, Operand ranges) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_IOVA_RANGES,
        Shape.IOVA_RANGES,
        Map.of(),
        "size",
        size,
        "ioas_id",
        ioas,
        "num_iovas",
        room,
        "__reserved",
        reserved,
        "allowed_iovas",
        ranges);
  }

  /** Maps at an address, to be read and written. */
  IommufdSteps map(String ioas, Operand from, long iova, long length) {
    return map(ioas, ALL, from, length, iova);
  }

  IommufdSteps map(String ioas, int flags, Operand from, long length, long iova) {
    return map(value(ioas), flags, 0, from, length, iova, 40);
  }

  IommufdSteps map(
      Operand ioas, int flags, int reserved, Operand from, long length, long iova, long size) {
    return map(Map.of(), ioas, flags, reserved, from, length, number(iova), size);
  }

  /** Maps and keeps where it is. */
  IommufdSteps mapAs(
      String name, Operand ioas, int flags, Operand from, long length, Operand iova) {
    return map(Map.of("iova", name), ioas, flags, 0, from, length, iova, 40);
  }

  private IommufdSteps map(
      Map<String, String> keep,
      Operand ioas,
      int flags,
      int reserved,
      Operand from,
      long length,
      Operand iova,
      long size) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_MAP,
        Shape.IOAS_MAP,
        keep,
        "size",
        size,
        "flags",
        flags,
        "ioas_id",
        ioas,
        "__reserved",
        reserved,
        "user_va",
        from,
        "length",
        length,
        "iova",
        iova);
  }

  IommufdSteps mapFile(String ioas, String file) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_MAP_FILE,
        Shape.IOAS_MAP_FILE,
        Map.of(),
        "size",
        40,
        "flags",
        ALL,
        "ioas_id",
        value(ioas),
        "fd",
        new Operand.Descriptor(file),
        "length",
        0x1000);
  }

  IommufdSteps copy(String target, String source, int flags, long to, long from, long length) {
    return copy(value(target), value(source), flags, to, from, length);
  }

  IommufdSteps copy(Operand target, Operand source, int flags, long to, long from, long length) {
    return copy(Map.of(), target, source, flags, number(to), number(from), length);
  }

  /** Copies and keeps where it is. */
  IommufdSteps copyAs(
      String name,
      Operand target,
      Operand source,
      int flags,
      Operand to,
      Operand from,
      long length) {
    return copy(Map.of("dst_iova", name), target, source, flags, to, from, length);
  }

  private IommufdSteps copy(
      Map<String, String> keep,
      Operand target,
      Operand source,
      int flags,
      Operand to,
      Operand from,
      long length) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_COPY,
        Shape.IOAS_COPY,
        keep,
        "size",
        40,
        "flags",
        flags,
        "dst_ioas_id",
        target,
        "src_ioas_id",
        source,
        "length",
        length,
        "dst_iova",
        to,
        "src_iova",
        from);
  }

  IommufdSteps unmap(String ioas, long iova, long length) {
    return unmap(value(ioas), iova, length, 24);
  }

  IommufdSteps unmap(Operand ioas, long iova, long length, long size) {
    return unmap(ioas, number(iova), length, size);
  }

  IommufdSteps unmap(Operand ioas, Operand iova, long length, long size) {
    return call(
        iommufd,
        Iommufd.IOMMU_IOAS_UNMAP,
        Shape.IOAS_UNMAP,
        Map.of(),
        "size",
        size,
        "ioas_id",
        ioas,
        "iova",
        iova,
        "length",
        length);
  }

  IommufdSteps option(int option, int operation, Operand object, long number) {
    return option(option, operation, 0, object, number);
  }

  IommufdSteps option(int option, int operation, int reserved, Operand object, long number) {
    return call(
        iommufd,
        Iommufd.IOMMU_OPTION,
        Shape.OPTION,
        Map.of(),
        "size",
        24,
        "option_id",
        option,
        "op",
        operation,
        "__reserved",
        reserved,
        "object_id",
        object,
        "val64",
        number);
  }

  IommufdSteps vfioIoas(int operation, Operand ioas) {
    return vfioIoas(operation, 0, ioas);
  }

  IommufdSteps vfioIoas(int operation, int reserved, Operand ioas) {
    return vfioIoas(Map.of(), operation, reserved, ioas);
  }

  /** Asks for the address space of the container and keeps its number. */
  IommufdSteps vfioIoasAs(String name) {
    return vfioIoas(Map.of("ioas_id", name), Iommufd.IOMMU_VFIO_IOAS_GET, 0, number(0));
  }

  private IommufdSteps vfioIoas(
      Map<String, String> keep, int operation, int reserved, Operand ioas) {
    return call(
        iommufd,
        Iommufd.IOMMU_VFIO_IOAS,
        Shape.VFIO_IOAS,
        keep,
        "size",
        12,
        "ioas_id",
        ioas,
        "op",
        operation,
        "__reserved",
        reserved);
  }

  IommufdSteps table(String name, int flags, String device, String object) {
    return table(name, flags, 0, value(device), value(object), 0, 0);
  }

  IommufdSteps table(
      String name,
      int flags,
      int reserved,
      Operand device,
      Operand object,
      int dataType,
      int dataLength) {
    return call(
        iommufd,
        Iommufd.IOMMU_HWPT_ALLOC,
        Shape.HWPT_ALLOC,
        Map.of("out_hwpt_id", name),
        "size",
        48,
        "flags",
        flags,
        "dev_id",
        device,
        "pt_id",
        object,
        "__reserved",
        reserved,
        "data_type",
        dataType,
        "data_len",
        dataLength);
  }

  IommufdSteps hardware(Operand device, int flags, int room, Operand data, long size) {
    return call(
        iommufd,
        Iommufd.IOMMU_GET_HW_INFO,
        Shape.HW_INFO,
        Map.of(),
        "size",
        size,
        "flags",
        flags,
        "dev_id",
        device,
        "data_len",
        room,
        "data_uptr",
        data);
  }

  IommufdSteps track(Operand table, int flags) {
    return call(
        iommufd,
        Iommufd.IOMMU_HWPT_SET_DIRTY_TRACKING,
        Shape.SET_DIRTY_TRACKING,
        Map.of(),
        "size",
        16,
        "flags",
        flags,
        "hwpt_id",
        table);
  }

  IommufdSteps dirty(
      Operand table, int flags, int reserved, long iova, long length, long page, Operand bitmap) {
    return dirty(table, flags, reserved, number(iova), length, page, bitmap);
  }

  IommufdSteps dirty(
      Operand table,
      int flags,
      int reserved,
      Operand iova,
      long length,
      long page,
      Operand bitmap) {
    return call(
        iommufd,
        Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP,
        Shape.DIRTY_BITMAP,
        Map.of(),
        "size",
        48,
        "hwpt_id",
        table,
        "flags",
        flags,
        "__reserved",
        reserved,
        "iova",
        iova,
        "length",
        length,
        "page_size",
        page,
        "data",
        bitmap);
  }

  /** Three steps: a device that is bound to an iommufd. */
  IommufdSteps bound() {
    return iommufd("f").node("d", 0).bind("d", "f", "dev");
  }

  /** Five steps: a device that is attached to an address space. */
  IommufdSteps attached() {
    return bound().ioas("s").attachAs("t", "d", "s");
  }
}

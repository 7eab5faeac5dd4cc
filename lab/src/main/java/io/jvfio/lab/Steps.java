// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.number;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIrqSet;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Consumer;

/** The words in which sequences are written. Each adds one step unless it says otherwise. */
final class Steps {
  static final int READ = Vfio.VFIO_DMA_MAP_FLAG_READ;
  static final int WRITE = Vfio.VFIO_DMA_MAP_FLAG_WRITE;
  static final int READ_WRITE = READ | WRITE;

  /** What every container and group ioctl is given when its struct is not the point. */
  private static final int BAD_ADDRESS = 8;

  private final List<Step> steps = new ArrayList<>();

  private Steps() {}

  static Sequence sequence(String name, Consumer<Steps> body) {
    var steps = new Steps();
    body.accept(steps);
    return new Sequence(name, steps.steps);
  }

  /** How many there are so far. */
  int count() {
    return steps.size();
  }

  private Steps add(Step step) {
    steps.add(step);
    return this;
  }

  Steps open(String file, String path) {
    return add(new Step.Open(file, path, Kernel.O_RDWR));
  }

  Steps openReadOnly(String file, String path) {
    return add(new Step.Open(file, path, Kernel.O_RDONLY));
  }

  Steps container(String file) {
    return open(file, "/dev/vfio/vfio");
  }

  Steps group(String file, int ordinal) {
    return open(file, "/dev/vfio/{g" + ordinal + "}");
  }

  Steps close(String file) {
    return add(new Step.Close(file));
  }

  Steps command(String file, Ioctl command) {
    return command(file, command, 0);
  }

  Steps command(String file, Ioctl command, long argument) {
    return add(new Step.Command(file, command, number(argument)));
  }

  /** A struct's address where nothing is mapped. */
  Steps badAddress(String file, Ioctl command) {
    return command(file, command, BAD_ADDRESS);
  }

  Steps check(String container, int extension) {
    return command(container, Vfio.VFIO_CHECK_EXTENSION, extension);
  }

  Steps setIommu(String container, int type) {
    return command(container, Vfio.VFIO_SET_IOMMU, type);
  }

  Steps setContainer(String group, String container) {
    return structured(
        group,
        Vfio.VFIO_GROUP_SET_CONTAINER,
        Shape.DESCRIPTOR,
        Map.of(),
        fields -> fields.put("fd", new Operand.Descriptor(container)));
  }

  Steps setContainerNumber(String group, int descriptor) {
    return structured(
        group,
        Vfio.VFIO_GROUP_SET_CONTAINER,
        Shape.DESCRIPTOR,
        Map.of(),
        fields -> fields.put("fd", number(descriptor)));
  }

  Steps unsetContainer(String group) {
    return command(group, Vfio.VFIO_GROUP_UNSET_CONTAINER);
  }

  Steps status(String group) {
    return status(group, Shape.GROUP_STATUS.byteSize());
  }

  Steps status(String group, long argsz) {
    return structured(
        group,
        Vfio.VFIO_GROUP_GET_STATUS,
        Shape.GROUP_STATUS,
        Map.of(),
        fields -> fields.put("argsz", number(argsz)));
  }

  /** Four steps: a container with the first groups in it, and its IOMMU. */
  Steps ready(int type) {
    return attached().setIommu("c", type);
  }

  /** Three steps: a container with the first group in it. */
  Steps attached() {
    return container("c").group("g0", 0).setContainer("g0", "c");
  }

  /** Five steps: the device of the first group. */
  Steps readyDevice(int type) {
    return ready(type).device("d0", "g0", 0);
  }

  /** Five steps: the device that no IOMMU covers. */
  Steps unprotectedDevice() {
    return container("c")
        .open("n", "/dev/vfio/noiommu-{n0}")
        .setContainer("n", "c")
        .setIommu("c", Vfio.VFIO_NOIOMMU_IOMMU)
        .device("d", "n", "{u0}");
  }

  Steps device(String device, String group, int ordinal) {
    return device(device, group, "{d" + ordinal + "}");
  }

  Steps device(String device, String group, String name) {
    return add(new Step.Named(device, group, Vfio.VFIO_GROUP_GET_DEVICE_FD, name));
  }

  Steps deviceInfo(String device, long argsz) {
    return sized(device, Vfio.VFIO_DEVICE_GET_INFO, Shape.DEVICE_INFO, argsz, fields -> {});
  }

  Steps regionInfo(String device, long index, long argsz) {
    return sized(
        device,
        Vfio.VFIO_DEVICE_GET_REGION_INFO,
        Shape.REGION_INFO,
        argsz,
        fields -> fields.put("index", number(index)));
  }

  /** Region information, with the region's offset kept under a name. */
  Steps region(String device, int index, String offset) {
    return structured(
        device,
        Vfio.VFIO_DEVICE_GET_REGION_INFO,
        Shape.REGION_INFO,
        Map.of("offset", offset),
        fields -> {
          fields.put("argsz", number(Shape.REGION_INFO.byteSize()));
          fields.put("index", number(index));
        });
  }

  Steps irqInfo(String device, long index, long argsz) {
    return sized(
        device,
        Vfio.VFIO_DEVICE_GET_IRQ_INFO,
        Shape.IRQ_INFO,
        argsz,
        fields -> fields.put("index", number(index)));
  }

  /** An eventfd that answers EAGAIN where it would wait. */
  Steps eventFd(String file) {
    return eventFd(file, 0, Kernel.EFD_NONBLOCK);
  }

  Steps eventFd(String file, int initial, int flags) {
    return add(new Step.EventFd(file, initial, flags));
  }

  Steps epoll(String file) {
    return add(new Step.Epoll(file));
  }

  Steps watch(String set, String file) {
    return watch(set, Kernel.EPOLL_CTL_ADD, file, Kernel.EPOLLIN);
  }

  Steps unwatch(String set, String file) {
    return watch(set, Kernel.EPOLL_CTL_DEL, file, 0);
  }

  Steps watch(String set, int operation, String file, int events) {
    return add(new Step.Watch(set, operation, file, events));
  }

  Steps readyFiles(String set, int most) {
    return add(new Step.Ready(set, most));
  }

  Steps poll(String file) {
    return add(new Step.Poll(file));
  }

  /** What an eventfd counted. */
  Steps take(String file) {
    return take(file, Long.BYTES);
  }

  Steps take(String file, int byteSize) {
    return add(new Step.Take(file, byteSize));
  }

  Steps put(String file, String bytes) {
    return add(new Step.Put(file, bytes));
  }

  /** Has interrupts signal eventfds, or nothing where a descriptor is -1. */
  Steps signalTo(String device, int index, int start, Operand... descriptors) {
    return setIrqs(
        device,
        Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_EVENTFD,
        index,
        start,
        descriptors.length,
        descriptors);
  }

  /** Turns an index off. */
  Steps turnOff(String device, int index) {
    return setIrqs(
        device, Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_NONE, index, 0, 0);
  }

  /** Signals interrupts by software. */
  Steps trigger(String device, int index, int start, int count) {
    return setIrqs(
        device,
        Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_NONE,
        index,
        start,
        count);
  }

  /** With an argsz that fits. */
  Steps setIrqs(String device, int flags, long index, long start, long count, Operand... data) {
    boolean bools = (flags & Vfio.VFIO_IRQ_SET_DATA_BOOL) != 0;
    int width = bools ? Byte.BYTES : Integer.BYTES;
    return setIrqs(
        device,
        VfioIrqSet.BYTES + (long) data.length * width,
        flags,
        index,
        start,
        count,
        List.of(data));
  }

  Steps setIrqs(
      String device,
      long argsz,
      int flags,
      long index,
      long start,
      long count,
      List<Operand> data) {
    boolean bools = (flags & Vfio.VFIO_IRQ_SET_DATA_BOOL) != 0;
    return add(
        new Step.SetIrqs(
            device, argsz, flags, index, start, count, data, bools ? Byte.BYTES : Integer.BYTES));
  }

  /** Has an eventfd make a write to a BAR. */
  Steps ioEventFd(
      String device, int flags, Operand offset, long data, Operand descriptor, long argsz) {
    return sized(
        device,
        Vfio.VFIO_DEVICE_IOEVENTFD,
        Shape.IOEVENTFD,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("offset", offset);
          fields.put("data", number(data));
          fields.put("fd", descriptor);
        });
  }

  Steps reset(String device) {
    return command(device, Vfio.VFIO_DEVICE_RESET);
  }

  /** Whom a hot reset would reach. */
  Steps hotResetInfo(String device, long argsz) {
    return sized(
        device, Vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, Shape.HOT_RESET_INFO, argsz, fields -> {});
  }

  /** A hot reset, with two descriptors of which {@code count} are meant. */
  Steps hotReset(String device, long argsz, int flags, long count, Operand one, Operand other) {
    return sized(
        device,
        Vfio.VFIO_DEVICE_PCI_HOT_RESET,
        Shape.HOT_RESET,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("count", number(count));
          fields.put("fd0", one);
          fields.put("fd1", other);
        });
  }

  /** A feature of a device, and the first eight bytes of its data. */
  Steps feature(String device, long flags, long argsz, long data) {
    return sized(
        device,
        Vfio.VFIO_DEVICE_FEATURE,
        Shape.DEVICE_FEATURE,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("data0", number(data));
        });
  }

  Steps writeAt(String file, long offset, String bytes) {
    return add(new Step.Write(file, number(offset), bytes));
  }

  Steps read(String device, String region, long offset, int byteSize) {
    return add(new Step.Read(device, Operand.value(region, offset), byteSize));
  }

  Steps readAt(String file, long offset, int byteSize) {
    return add(new Step.Read(file, number(offset), byteSize));
  }

  Steps write(String device, String region, long offset, String bytes) {
    return add(new Step.Write(device, Operand.value(region, offset), bytes));
  }

  Steps mapDevice(
      String mapping, String device, String region, long offset, long byteSize, int flags) {
    return add(
        new Step.MapDevice(
            mapping,
            device,
            Operand.value(region, offset),
            byteSize,
            Kernel.PROT_READ | Kernel.PROT_WRITE,
            flags));
  }

  Steps mapDeviceAt(String mapping, String file, long offset, long byteSize, int flags) {
    return add(
        new Step.MapDevice(
            mapping, file, number(offset), byteSize, Kernel.PROT_READ | Kernel.PROT_WRITE, flags));
  }

  Steps load(String mapping, long offset) {
    return add(new Step.Load(mapping, offset));
  }

  Steps unmapDevice(String mapping) {
    return add(new Step.UnmapDevice(mapping));
  }

  Steps memory(String memory, long byteSize) {
    return memory(memory, byteSize, Kernel.PROT_READ | Kernel.PROT_WRITE);
  }

  Steps readOnlyMemory(String memory, long byteSize) {
    return memory(memory, byteSize, Kernel.PROT_READ);
  }

  Steps memory(String memory, long byteSize, int protection) {
    return add(new Step.Memory(memory, byteSize, protection));
  }

  Steps look(String memory, long offset, int byteSize) {
    return add(new Step.Look(memory, offset, byteSize));
  }

  Steps store(String memory, long offset, Operand... numbers) {
    return add(new Step.Store(memory, offset, List.of(numbers)));
  }

  Steps pinned() {
    return add(new Step.Pinned());
  }

  Steps hole(String memory, long offset, long byteSize) {
    return add(new Step.Hole(memory, offset, byteSize));
  }

  Steps map(Operand from, long iova, long byteSize) {
    return map(from, iova, byteSize, READ_WRITE);
  }

  Steps map(Operand from, long iova, long byteSize, int flags) {
    return map("c", from, number(iova), byteSize, flags, Shape.DMA_MAP.byteSize());
  }

  Steps map(String container, Operand from, Operand iova, long byteSize, int flags, long argsz) {
    return sized(
        container,
        Vfio.VFIO_IOMMU_MAP_DMA,
        Shape.DMA_MAP,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("vaddr", from);
          fields.put("iova", iova);
          fields.put("size", number(byteSize));
        });
  }

  Steps unmap(long iova, long byteSize) {
    return unmap(iova, byteSize, 0);
  }

  Steps unmap(long iova, long byteSize, int flags) {
    return unmap("c", number(iova), byteSize, flags, Shape.DMA_UNMAP.byteSize());
  }

  Steps unmap(String container, Operand iova, long byteSize, int flags, long argsz) {
    return sized(
        container,
        Vfio.VFIO_IOMMU_UNMAP_DMA,
        Shape.DMA_UNMAP,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("iova", iova);
          fields.put("size", number(byteSize));
        });
  }

  /** Unmaps and asks which pages were dirty. */
  Steps unmapDirty(
      String container,
      Operand iova,
      long byteSize,
      int flags,
      long argsz,
      long pageSize,
      long bitmapSize,
      Operand bitmap) {
    return sized(
        container,
        Vfio.VFIO_IOMMU_UNMAP_DMA,
        Shape.DMA_UNMAP_DIRTY,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("iova", iova);
          fields.put("size", number(byteSize));
          bitmap(fields, pageSize, bitmapSize, bitmap);
        });
  }

  private static void bitmap(
      SequencedMap<String, Operand> fields, long pageSize, long bitmapSize, Operand bitmap) {
    fields.put("bitmap.pgsize", number(pageSize));
    fields.put("bitmap.size", number(bitmapSize));
    fields.put("bitmap.data", bitmap);
  }

  /** Starts or stops the tracking of dirty pages. */
  Steps dirtyPages(String container, int flags, long argsz) {
    return sized(
        container,
        Vfio.VFIO_IOMMU_DIRTY_PAGES,
        Shape.DIRTY_PAGES,
        argsz,
        fields -> fields.put("flags", number(flags)));
  }

  /** Asks which pages are dirty. */
  Steps dirtyBitmap(
      String container,
      Operand iova,
      long byteSize,
      int flags,
      long argsz,
      long pageSize,
      long bitmapSize,
      Operand bitmap) {
    return sized(
        container,
        Vfio.VFIO_IOMMU_DIRTY_PAGES,
        Shape.DIRTY_PAGES_GET,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("iova", iova);
          fields.put("size", number(byteSize));
          bitmap(fields, pageSize, bitmapSize, bitmap);
        });
  }

  /** Enhanced Error Handling. */
  Steps eeh(String container, int operation, int flags, long argsz) {
    return sized(
        container,
        Vfio.VFIO_EEH_PE_OP,
        Shape.EEH_OPERATION,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("op", number(operation));
        });
  }

  Steps type1Info(String container, long argsz) {
    return sized(container, Vfio.VFIO_IOMMU_GET_INFO, Shape.TYPE1_INFO, argsz, fields -> {});
  }

  Steps spaprInfo(String container) {
    return spaprInfo(container, Shape.SPAPR_INFO.byteSize());
  }

  Steps spaprInfo(String container, long argsz) {
    return sized(
        container, Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO, Shape.SPAPR_INFO, argsz, fields -> {});
  }

  Steps enable(String container) {
    return command(container, Vfio.VFIO_IOMMU_ENABLE);
  }

  Steps disable(String container) {
    return command(container, Vfio.VFIO_IOMMU_DISABLE);
  }

  Steps register(Operand from, long byteSize) {
    return register("c", from, byteSize, 0, Shape.REGISTER_MEMORY.byteSize());
  }

  Steps register(String container, Operand from, long byteSize, int flags, long argsz) {
    return memoryRange(
        container, Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY, from, byteSize, flags, argsz);
  }

  Steps unregister(Operand from, long byteSize) {
    return unregister("c", from, byteSize, 0, Shape.REGISTER_MEMORY.byteSize());
  }

  Steps unregister(String container, Operand from, long byteSize, int flags, long argsz) {
    return memoryRange(
        container, Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, from, byteSize, flags, argsz);
  }

  private Steps memoryRange(
      String container, Ioctl command, Operand from, long byteSize, int flags, long argsz) {
    return sized(
        container,
        command,
        Shape.REGISTER_MEMORY,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("vaddr", from);
          fields.put("size", number(byteSize));
        });
  }

  /** Creates a window and keeps its start under a name. */
  Steps createWindow(String start, int pageShift, long byteSize, int levels) {
    return createWindow("c", start, pageShift, byteSize, levels, 0, Shape.TCE_CREATE.byteSize());
  }

  Steps createWindow(
      String container,
      String start,
      int pageShift,
      long byteSize,
      int levels,
      int flags,
      long argsz) {
    return structured(
        container,
        Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE,
        Shape.TCE_CREATE,
        Map.of("start_addr", start),
        fields -> {
          fields.put("argsz", number(argsz));
          fields.put("flags", number(flags));
          fields.put("page_shift", number(pageShift));
          fields.put("window_size", number(byteSize));
          fields.put("levels", number(levels));
        });
  }

  Steps removeWindow(Operand start) {
    return removeWindow("c", start, 0, Shape.TCE_REMOVE.byteSize());
  }

  Steps removeWindow(String container, Operand start, int flags, long argsz) {
    return sized(
        container,
        Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE,
        Shape.TCE_REMOVE,
        argsz,
        fields -> {
          fields.put("flags", number(flags));
          fields.put("start_addr", start);
        });
  }

  /** A struct with an argsz, and memory for as much as that says. */
  private Steps sized(
      String file,
      Ioctl command,
      Shape shape,
      long argsz,
      Consumer<SequencedMap<String, Operand>> body) {
    return structured(
        file,
        command,
        shape,
        Map.of(),
        fields -> {
          fields.put("argsz", number(argsz));
          body.accept(fields);
        });
  }

  /** A struct whose memory is at least as large as its first field says, if that is its size. */
  Steps structured(
      String file,
      Ioctl command,
      Shape shape,
      Map<String, String> keep,
      Consumer<SequencedMap<String, Operand>> body) {
    var fields = new LinkedHashMap<String, Operand>();
    body.accept(fields);
    long memory = shape.byteSize();
    var named = fields.containsKey("argsz") ? "argsz" : "size";
    if (fields.get(named) instanceof Operand.Literal(long size)
        && shape.field(named).offset() == 0) {
      memory = Math.max(memory, Math.min(size, 4096));
    }
    return add(new Step.Structured(file, command, shape, memory, fields, keep));
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

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
import io.jvfio.linux.uapi.IommuIoasMapFile;
import io.jvfio.linux.uapi.IommuIoasUnmap;
import io.jvfio.linux.uapi.IommuOption;
import io.jvfio.linux.uapi.IommuVfioIoas;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.VfioBitmap;
import io.jvfio.linux.uapi.VfioDeviceAttachIommufdPt;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.linux.uapi.VfioDeviceDetachIommufdPt;
import io.jvfio.linux.uapi.VfioDeviceFeature;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioDeviceIoeventfd;
import io.jvfio.linux.uapi.VfioEehPeOp;
import io.jvfio.linux.uapi.VfioGroupStatus;
import io.jvfio.linux.uapi.VfioIommuSpaprRegisterMemory;
import io.jvfio.linux.uapi.VfioIommuSpaprTceCreate;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import io.jvfio.linux.uapi.VfioIommuSpaprTceRemove;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmap;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmapGet;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioPciDependentDevice;
import io.jvfio.linux.uapi.VfioPciHotReset;
import io.jvfio.linux.uapi.VfioPciHotResetInfo;
import io.jvfio.linux.uapi.VfioRegionInfo;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.StructLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The structs that ioctls take: their fields, and which of them the kernel may write. */
@SuppressWarnings("ImmutableEnumChecker") // the collections are copies that cannot be changed
enum Shape {
  DESCRIPTOR(MemoryLayout.structLayout(Layouts.U32.withName("fd"))),
  GROUP_STATUS(VfioGroupStatus.STRUCT.layout(), "flags"),
  DEVICE_INFO(
      VfioDeviceInfo.STRUCT.layout(), "argsz", "flags", "num_regions", "num_irqs", "cap_offset"),
  REGION_INFO(VfioRegionInfo.STRUCT.layout(), "argsz", "flags", "cap_offset", "size", "offset"),
  IRQ_INFO(VfioIrqInfo.STRUCT.layout(), "flags", "count"),
  IOEVENTFD(VfioDeviceIoeventfd.STRUCT.layout()),
  TYPE1_INFO(VfioIommuType1Info.STRUCT.layout(), "argsz", "flags", "iova_pgsizes", "cap_offset"),
  DMA_MAP(VfioIommuType1DmaMap.STRUCT.layout()),
  DMA_UNMAP(VfioIommuType1DmaUnmap.STRUCT.layout(), "size"),
  /** With the bitmap that follows it when the dirty pages are asked for. */
  DMA_UNMAP_DIRTY(
      joined(
          VfioIommuType1DmaUnmap.STRUCT.layout(),
          List.of(VfioBitmap.STRUCT.layout().withName("bitmap"))),
      "size"),
  DIRTY_PAGES(VfioIommuType1DirtyBitmap.STRUCT.layout()),
  DIRTY_PAGES_GET(
      joined(
          VfioIommuType1DirtyBitmap.STRUCT.layout(),
          VfioIommuType1DirtyBitmapGet.STRUCT.layout().memberLayouts())),
  SPAPR_INFO(
      VfioIommuSpaprTceInfo.STRUCT.layout(),
      "flags",
      "dma32_window_start",
      "dma32_window_size",
      "ddw.pgsizes",
      "ddw.max_dynamic_windows_supported",
      "ddw.levels"),
  REGISTER_MEMORY(VfioIommuSpaprRegisterMemory.STRUCT.layout()),
  TCE_CREATE(VfioIommuSpaprTceCreate.STRUCT.layout(), "start_addr"),
  TCE_REMOVE(VfioIommuSpaprTceRemove.STRUCT.layout()),
  EEH_OPERATION(VfioEehPeOp.STRUCT.layout()),
  /** With room for two devices. */
  HOT_RESET_INFO(
      joined(
          VfioPciHotResetInfo.STRUCT.layout(),
          List.of(
              VfioPciDependentDevice.STRUCT.layout().withName("first"),
              VfioPciDependentDevice.STRUCT.layout().withName("second"))),
      "flags",
      "count",
      "first.group_id",
      "first.segment",
      "first.bus",
      "first.devfn"),
  /** With room for the files of two groups. */
  HOT_RESET(
      joined(
          VfioPciHotReset.STRUCT.layout(),
          List.of(Layouts.U32.withName("fd0"), Layouts.U32.withName("fd1")))),
  /** With as much data as the longest feature has. */
  DEVICE_FEATURE(
      joined(
          VfioDeviceFeature.STRUCT.layout(),
          List.of(
              Layouts.U64.withName("data0"),
              Layouts.U64.withName("data1"),
              Layouts.U64.withName("data2"),
              Layouts.U64.withName("data3")))),
  BIND_IOMMUFD(VfioDeviceBindIommufd.STRUCT.layout(), "out_devid"),
  ATTACH_IOMMUFD(VfioDeviceAttachIommufdPt.STRUCT.layout()),
  DETACH_IOMMUFD(VfioDeviceDetachIommufdPt.STRUCT.layout()),
  DESTROY(IommuDestroy.STRUCT.layout()),
  IOAS_ALLOC(IommuIoasAlloc.STRUCT.layout(), "out_ioas_id"),
  /** With a field that no kernel knows. */
  IOAS_ALLOC_LONGER(
      joined(IommuIoasAlloc.STRUCT.layout(), List.of(Layouts.U32.withName("tail"))), "out_ioas_id"),
  ALLOW_IOVAS(IommuIoasAllowIovas.STRUCT.layout()),
  IOVA_RANGES(IommuIoasIovaRanges.STRUCT.layout(), "out_iova_alignment"),
  IOAS_MAP(IommuIoasMap.STRUCT.layout()),
  IOAS_MAP_FILE(IommuIoasMapFile.STRUCT.layout()),
  IOAS_COPY(IommuIoasCopy.STRUCT.layout()),
  IOAS_UNMAP(IommuIoasUnmap.STRUCT.layout()),
  OPTION(IommuOption.STRUCT.layout()),
  VFIO_IOAS(IommuVfioIoas.STRUCT.layout()),
  HWPT_ALLOC(IommuHwptAlloc.STRUCT.layout(), "out_hwpt_id"),
  HW_INFO(IommuHwInfo.STRUCT.layout(), "out_data_type", "out_max_pasid_log2", "out_capabilities"),
  SET_DIRTY_TRACKING(IommuHwptSetDirtyTracking.STRUCT.layout()),
  DIRTY_BITMAP(IommuHwptGetDirtyBitmap.STRUCT.layout());

  /** One field of a struct; {@code name} is a path such as {@code ddw.levels}. */
  record Field(String name, long offset, int byteSize) {}

  private final long byteSize;
  private final List<Field> fields;
  private final Set<String> outputs;

  Shape(StructLayout layout, String... outputs) {
    this.byteSize = layout.byteSize();
    this.fields = List.copyOf(flatten("", 0, layout));
    this.outputs = Set.of(outputs);
  }

  long byteSize() {
    return byteSize;
  }

  List<Field> fields() {
    return fields;
  }

  boolean isOutput(Field field) {
    return outputs.contains(field.name());
  }

  /** Whether a chain of capabilities may follow the struct. */
  boolean hasCapabilities() {
    return outputs.contains("cap_offset");
  }

  Field field(String name) {
    return fields.stream()
        .filter(field -> field.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(this + " has no field " + name));
  }

  /** A struct and what may come right after it. */
  private static StructLayout joined(StructLayout head, List<MemoryLayout> tail) {
    var members = new ArrayList<>(head.memberLayouts());
    members.addAll(tail);
    return MemoryLayout.structLayout(members.toArray(MemoryLayout[]::new));
  }

  private static List<Field> flatten(String prefix, long start, GroupLayout layout) {
    var fields = new ArrayList<Field>();
    long offset = start;
    for (var member : layout.memberLayouts()) {
      if (member.name().isPresent()) {
        var name = prefix + member.name().get();
        if (member instanceof GroupLayout group) {
          fields.addAll(flatten(name + ".", offset, group));
        } else {
          fields.add(new Field(name, offset, (int) member.byteSize()));
        }
      }
      offset += member.byteSize();
    }
    return fields;
  }
}

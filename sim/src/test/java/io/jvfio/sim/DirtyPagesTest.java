// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_UNMAP_FLAG_ALL;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_UNMAP_FLAG_VADDR;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_UNMAP_DMA;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.VfioBitmap;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmap;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmapGet;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DirtyPagesTest {
  private static final long PAGE = 0x1000;
  private static final long HEADER = VfioIommuType1DirtyBitmap.BYTES;

  private final Guest guest = new Guest("x86-6.12");
  private final MemorySegment bitmap = guest.arena.allocate(64, 8);
  private int container;

  @BeforeEach
  void start() {
    container = guest.container(guest.group(1), 3);
    assertThat(dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START)).isEqualTo("0");
  }

  @AfterEach
  void close() {
    guest.close();
  }

  private String dirty(int flags) {
    var struct = VfioIommuType1DirtyBitmap.STRUCT.allocate(guest.arena);
    VfioIommuType1DirtyBitmap.FLAGS.set(struct, flags);
    return answer(guest.kernel.ioctl(container, VFIO_IOMMU_DIRTY_PAGES, struct));
  }

  private MemorySegment getStruct(long iova, long size) {
    var struct = guest.arena.allocate(HEADER + VfioIommuType1DirtyBitmapGet.BYTES, 8);
    VfioIommuType1DirtyBitmap.ARGSZ.set(struct, (int) struct.byteSize());
    VfioIommuType1DirtyBitmap.FLAGS.set(struct, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
    var get = struct.asSlice(HEADER);
    VfioIommuType1DirtyBitmapGet.IOVA.set(get, iova);
    VfioIommuType1DirtyBitmapGet.SIZE.set(get, size);
    VfioIommuType1DirtyBitmapGet.BITMAP_PGSIZE.set(get, PAGE);
    VfioIommuType1DirtyBitmapGet.BITMAP_SIZE.set(get, bitmap.byteSize());
    VfioIommuType1DirtyBitmapGet.BITMAP_DATA.set(get, bitmap.address());
    return struct;
  }

  private String get(MemorySegment struct) {
    return answer(guest.kernel.ioctl(container, VFIO_IOMMU_DIRTY_PAGES, struct));
  }

  private String get(long iova, long size) {
    return get(getStruct(iova, size));
  }

  private MemorySegment unmapStruct(long iova, long size, int flags) {
    var struct = guest.arena.allocate(VfioIommuType1DmaUnmap.BYTES + VfioBitmap.BYTES, 8);
    VfioIommuType1DmaUnmap.ARGSZ.set(struct, (int) struct.byteSize());
    VfioIommuType1DmaUnmap.FLAGS.set(struct, flags);
    VfioIommuType1DmaUnmap.IOVA.set(struct, iova);
    VfioIommuType1DmaUnmap.SIZE.set(struct, size);
    var wanted = struct.asSlice(VfioIommuType1DmaUnmap.BYTES);
    VfioBitmap.PGSIZE.set(wanted, PAGE);
    VfioBitmap.SIZE.set(wanted, bitmap.byteSize());
    VfioBitmap.DATA.set(wanted, bitmap.address());
    return struct;
  }

  private String unmap(MemorySegment struct) {
    return answer(guest.kernel.ioctl(container, VFIO_IOMMU_UNMAP_DMA, struct));
  }

  private void map(long iova, long pages) {
    assertThat(guest.map(container, iova, guest.memory(pages * PAGE), pages * PAGE)).isEqualTo("0");
  }

  private long word(int index) {
    return bitmap.getAtIndex(ValueLayout.JAVA_LONG, index);
  }

  @Test
  void everyMappedPageIsDirtyEachTime() {
    map(0, 3);
    map(64 * PAGE, 2);
    for (int i = 0; i < 2; i++) {
      bitmap.fill((byte) 0);
      assertThat(get(0, 128 * PAGE)).isEqualTo("0");
      assertThat(word(0)).isEqualTo(7);
      assertThat(word(1)).isEqualTo(3);
      assertThat(word(2)).isZero();
    }
  }

  /** The kernel clears as many bits as there are pages, wherever it moved them to before. */
  @Test
  void bitsOfTheLastReadingComeBackShiftedOnceMore() {
    map(0, 3);
    map(8 * PAGE, 2);
    assertThat(get(0, 64 * PAGE)).isEqualTo("0");
    assertThat(word(0)).isEqualTo(0x307);
    bitmap.fill((byte) 0);
    assertThat(get(0, 64 * PAGE)).isEqualTo("0");
    assertThat(word(0)).isEqualTo(0x30707);
    assertThat(dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP)).isEqualTo("0");
    assertThat(dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START)).isEqualTo("0");
    bitmap.fill((byte) 0);
    assertThat(get(0, 64 * PAGE)).isEqualTo("0");
    assertThat(word(0)).isEqualTo(0x307);
  }

  @Test
  void aMappingThatStartsInsideAWordKeepsTheBitsOfThatWord() {
    map(4 * PAGE, 2);
    map(64 * PAGE, 1);
    bitmap.fill((byte) 0x80);
    assertThat(get(0, 128 * PAGE)).isEqualTo("0");
    assertThat(word(0)).isEqualTo(0x8080808080808080L | 0x30);
    // a mapping at the start of a word replaces the word
    assertThat(word(1)).isEqualTo(1);
    assertThat(word(2)).isEqualTo(0x8080808080808080L);
  }

  @Test
  void bitsPastAMappingStayAfterItWasReadUnaligned() {
    map(4 * PAGE, 62);
    assertThat(get(0, 66 * PAGE)).isEqualTo("0");
    assertThat(word(0)).isEqualTo(-1L << 4);
    assertThat(word(1)).isEqualTo(3);
    bitmap.fill((byte) 0);
    assertThat(get(4 * PAGE, 62 * PAGE)).isEqualTo("0");
    assertThat(word(0)).isEqualTo(-1L);
    assertThat(word(1)).isZero();
  }

  @Test
  void aRangeWithoutMappingsWritesNothing() {
    bitmap.fill((byte) 5);
    assertThat(get(0, 64 * PAGE)).isEqualTo("0");
    assertThat(word(0)).isEqualTo(0x0505050505050505L);
  }

  @Test
  void theArgumentsOfGetAreChecked() {
    map(0, 8);
    assertThat(get(getStruct(0, 4 * PAGE))).isEqualTo("EINVAL");
    assertThat(get(getStruct(4 * PAGE, 8 * PAGE))).isEqualTo("EINVAL");
    assertThat(get(getStruct(0, 0))).isEqualTo("EINVAL");
    assertThat(get(getStruct(0, 0x800))).isEqualTo("EINVAL");
    assertThat(get(getStruct(0x800, PAGE))).isEqualTo("EINVAL");
    assertThat(get(getStruct(-PAGE, PAGE))).isEqualTo("EINVAL");
    var shortStruct = getStruct(0, 8 * PAGE);
    VfioIommuType1DirtyBitmap.ARGSZ.set(shortStruct, (int) shortStruct.byteSize() - 1);
    assertThat(get(shortStruct)).isEqualTo("EINVAL");
    var otherPage = getStruct(0, 8 * PAGE);
    VfioIommuType1DirtyBitmapGet.BITMAP_PGSIZE.set(otherPage.asSlice(HEADER), 2 << 20);
    assertThat(get(otherPage)).isEqualTo("EINVAL");
    for (long bytes : new long[] {0, 7, (256 << 20) + 1, -1}) {
      var otherSize = getStruct(0, 8 * PAGE);
      VfioIommuType1DirtyBitmapGet.BITMAP_SIZE.set(otherSize.asSlice(HEADER), bytes);
      assertThat(get(otherSize)).isEqualTo("EINVAL");
    }
    var truncated = getStruct(0, 8 * PAGE).asSlice(0, HEADER + 8);
    assertThat(get(truncated)).isEqualTo("EFAULT");
    assertThat(get(0, 8 * PAGE)).isEqualTo("0");
  }

  @Test
  void aBitmapMustBeWritable() {
    map(0, 8);
    var nowhere = getStruct(0, 8 * PAGE);
    VfioIommuType1DirtyBitmapGet.BITMAP_DATA.set(nowhere.asSlice(HEADER), 0);
    assertThat(get(nowhere)).isEqualTo("EFAULT");
    VfioIommuType1DirtyBitmapGet.BITMAP_DATA.set(nowhere.asSlice(HEADER), -PAGE);
    assertThat(get(nowhere)).isEqualTo("EINVAL");
    var readOnly = getStruct(0, 8 * PAGE);
    VfioIommuType1DirtyBitmapGet.BITMAP_DATA.set(
        readOnly.asSlice(HEADER),
        guest.kernel.mmap(
            PAGE, Kernel.PROT_READ, Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0));
    assertThat(get(readOnly)).isEqualTo("EFAULT");
  }

  @Test
  void withoutTrackingThereIsNothingToGet() {
    map(0, 8);
    assertThat(dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP)).isEqualTo("0");
    assertThat(dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP)).isEqualTo("0");
    assertThat(get(0, 8 * PAGE)).isEqualTo("EINVAL");
    var unmap = unmapStruct(0, 8 * PAGE, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
    assertThat(unmap(unmap)).isEqualTo("EINVAL");
  }

  @Test
  void unmappingTellsWhatWasDirty() {
    map(4 * PAGE, 2);
    map(66 * PAGE, 1);
    var unmap = unmapStruct(0, 128 * PAGE, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
    assertThat(unmap(unmap)).isEqualTo("0");
    assertThat(VfioIommuType1DmaUnmap.SIZE.get(unmap)).isEqualTo(3 * PAGE);
    assertThat(word(0)).isEqualTo(0x30);
    assertThat(word(1)).isEqualTo(4);
    assertThat(guest.host.resources().dmaMappedBytes()).isZero();
  }

  @Test
  void aBitmapThatEndsTooEarlyStopsTheUnmappingThere() {
    map(0, 1);
    map(8 * PAGE, 1);
    map(4096L * 8 * PAGE, 1);
    long memory = guest.memory(PAGE);
    var unmap = unmapStruct(0, 4096L * 8 * PAGE + PAGE, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
    VfioBitmap.SIZE.set(unmap.asSlice(VfioIommuType1DmaUnmap.BYTES), 2 * PAGE);
    VfioBitmap.DATA.set(unmap.asSlice(VfioIommuType1DmaUnmap.BYTES), memory);
    assertThat(unmap(unmap)).isEqualTo("EFAULT");
    assertThat(guest.view(memory, 8).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x101);
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(PAGE);
  }

  @Test
  void theFlagOfUnmapHasNoCompanionAndNeedsItsBitmap() {
    int flag = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
    map(0, 8);
    assertThat(unmap(unmapStruct(0, 0, flag | VFIO_DMA_UNMAP_FLAG_ALL))).isEqualTo("EINVAL");
    assertThat(unmap(unmapStruct(0, 8 * PAGE, flag | VFIO_DMA_UNMAP_FLAG_VADDR)))
        .isEqualTo("EINVAL");
    var shortStruct = unmapStruct(0, 8 * PAGE, flag);
    VfioIommuType1DmaUnmap.ARGSZ.set(shortStruct, 47);
    assertThat(unmap(shortStruct)).isEqualTo("EINVAL");
    assertThat(unmap(unmapStruct(0, 8 * PAGE, flag).asSlice(0, 40))).isEqualTo("EFAULT");
    var otherPage = unmapStruct(0, 8 * PAGE, flag);
    VfioBitmap.PGSIZE.set(otherPage.asSlice(VfioIommuType1DmaUnmap.BYTES), 0);
    assertThat(unmap(otherPage)).isEqualTo("EINVAL");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(8 * PAGE);
  }
}

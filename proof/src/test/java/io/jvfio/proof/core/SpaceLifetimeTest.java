// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.BufferOptions;
import io.jvfio.DmaBuffer;
import io.jvfio.DmaMapping;
import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.text.MessageFormat;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/** In which order memory, mapping and address come and go, whoever closes them, and when. */
class SpaceLifetimeTest {

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void memoryIsUnmappedBeforeItIsFreed(String space) {
    try (var open = OpenSpace.open(space)) {
      var buffer = open.space.allocate(100_000);
      var calls = open.callsOf(buffer::close);
      assertThat(calls).contains(open.unmapCall(), "munmap");
      assertThat(calls.indexOf(open.unmapCall())).isLessThan(calls.indexOf("munmap"));
      if (space.endsWith("v2") && space.contains("spapr")) {
        assertThat(calls)
            .containsExactly(
                "VFIO_IOMMU_UNMAP_DMA", "VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY", "munmap");
      }
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void useAfterCloseThrowsAndASecondCloseDoesNothing(String space) {
    try (var open = OpenSpace.open(space);
        var arena = Arena.ofConfined()) {
      var buffer = open.space.allocate(4096, BufferOptions.anonymous().asFile());
      var segment = buffer.segment();
      assertThat(buffer.fileDescriptor()).isPresent();
      buffer.close();
      assertThat(open.callsOf(buffer::close)).isEmpty();
      assertThatExceptionOfType(IllegalStateException.class)
          .isThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0));
      assertThat(buffer.fileDescriptor()).isEmpty();
      var mapping = open.space.map(arena.allocate(64 << 10, 64 << 10));
      mapping.close();
      for (var closed : List.of(buffer, mapping)) {
        assertThat(closed.isMapped()).isFalse();
        assertThatExceptionOfType(IllegalStateException.class)
            .isThrownBy(closed::map)
            .withMessageContaining("is closed");
        assertThatExceptionOfType(IllegalStateException.class).isThrownBy(closed::unmap);
        assertThat(open.callsOf(closed::close)).isEmpty();
      }
      assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, 0))
          .as("the caller's memory is the caller's")
          .isZero();
    }
  }

  @Test
  void addressAndMemoryDieTogether() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      var buffer = open.space.allocate(4096);
      assertThat(buffer.iova()).isPositive();
      buffer.close();
      assertThatExceptionOfType(IllegalStateException.class)
          .isThrownBy(buffer::iova)
          .withMessageContaining("is closed");
      assertThatExceptionOfType(IllegalStateException.class)
          .isThrownBy(() -> buffer.segment().get(ValueLayout.JAVA_BYTE, 0));
    }
  }

  @Test
  void anotherThreadCanClose() throws Exception {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      var buffer = open.space.allocate(4096);
      var thread = new Thread(buffer::close);
      thread.start();
      thread.join();
      assertThat(buffer.segment().scope().isAlive()).isFalse();
      open.checkAgreement("");
      assertThat(open.space.layout().mappings()).isEmpty();
    }
  }

  /** A thread that waits in a read into a buffer, as one in any system call that fills it. */
  private static final class Reader implements AutoCloseable {
    private final Pipe pipe;
    private final ExecutorService executor = Executors.newSingleThreadExecutor();

    Reader(DmaBuffer buffer) throws Exception {
      pipe = Pipe.open();
      var view = buffer.segment().asByteBuffer();
      var thread = executor.submit(Thread::currentThread).get();
      var _ = executor.submit(() -> pipe.source().read(view));
      while (!isInRead(thread)) {
        Thread.onSpinWait();
      }
    }

    private static boolean isInRead(Thread thread) {
      for (var frame : thread.getStackTrace()) {
        if (frame.getMethodName().equals("read0")) {
          return true;
        }
      }
      return false;
    }

    @Override
    public void close() throws IOException {
      pipe.sink().write(ByteBuffer.wrap(new byte[] {42}));
      executor.close();
      pipe.sink().close();
      pipe.source().close();
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void closingWhatAnotherThreadIsInsideThrowsAndChangesNothing(String space) throws Exception {
    try (var open = OpenSpace.open(space)) {
      var buffer = open.space.allocate(4096);
      try (var _ = new Reader(buffer)) {
        var resources = open.host.resources();
        assertThat(
                open.callsOf(
                    () ->
                        assertThatExceptionOfType(IllegalStateException.class)
                            .isThrownBy(buffer::close)))
            .isEmpty();
        assertThat(open.host.resources()).isEqualTo(resources);
        assertThat(buffer.isMapped()).isTrue();
      }
      assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
      buffer.unmap();
      buffer.map();
      buffer.close();
      assertThat(open.space.layout().mappings()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "x86-6.12 type1v2",
        "x86-noiommu noiommu",
        "pseries-5.10 spapr-tce",
        "pseries-6.12 spapr-tce-v2"
      })
  void whatAnotherThreadIsInsideOutlivesTheSpaceAndCanBeClosedAfterIt(String space)
      throws Exception {
    try (var open = OpenSpace.open(space)) {
      var other = open.space.allocate(4096);
      var buffer = open.space.allocate(4096);
      try (var _ = new Reader(buffer)) {
        assertThatExceptionOfType(IllegalStateException.class).isThrownBy(open.groups::close);
        assertThat(other.segment().scope().isAlive()).isFalse();
        var held = open.host.resources();
        assertThat(held.attachedGroups()).isZero();
        assertThat(held.dmaMappedBytes()).as("no device reaches it").isZero();
        assertThat(held.anonymousMappings()).isEqualTo(1);
      }
      assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
      buffer.close();
      assertThat(open.host.resources()).isEqualTo(open.before);
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void closingTheSpaceClosesEveryBufferAndRegistration(String space) {
    try (var open = OpenSpace.open(space);
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(64 << 10, 64 << 10);
      open.space.register(memory);
      open.space.map(memory);
      var buffers = new ArrayList<DmaBuffer>();
      for (int i = 0; i < 9; i++) {
        buffers.add(open.space.allocate(4096));
      }
      buffers.getFirst().unmap();
      var calls = open.callsOf(open.space::close);
      assertThat(calls.stream().filter(open.unmapCall()::equals))
          .hasSize(space.startsWith("x86") ? 1 : 9);
      assertThat(buffers).noneMatch(buffer -> buffer.segment().scope().isAlive());
      var resources = open.host.resources();
      assertThat(resources.dmaMappedBytes()).isZero();
      assertThat(resources.anonymousMappings()).isZero();
      if (space.endsWith("spapr-tce-v2")) {
        assertThat(calls.stream().filter("VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY"::equals)).hasSize(10);
      }
      assertThat(open.callsOf(open.space::close)).isEmpty();
    }
  }

  /** The kernel forgets locks of mlock only with the process. */
  @Test
  void registrationsWithoutAnIommuEndWithTheSpace() {
    try (var open = OpenSpace.open("x86-noiommu noiommu");
        var arena = Arena.ofConfined()) {
      open.space.register(arena.allocate(64 << 10, 4096));
      assertThat(open.host.resources().lockedBytes()).isEqualTo(64 << 10);
    }
  }

  @Test
  void registrationsAreCounted() {
    try (var open = OpenSpace.open("pseries-6.12 spapr-tce-v2");
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(64 << 10, 4096);
      long locked = open.host.resources().lockedBytes();
      var first = open.space.register(memory);
      assertThat(open.changesOf(() -> open.space.register(memory).close())).isEmpty();
      assertThat(open.changesOf(() -> open.space.map(memory.asSlice(4096, 8192)).close()))
          .containsExactly("VFIO_IOMMU_MAP_DMA", "VFIO_IOMMU_UNMAP_DMA");
      assertThat(open.host.resources().lockedBytes()).isEqualTo(locked + (64 << 10));
      assertThat(open.changesOf(first::close))
          .containsExactly("VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY");
      assertThat(open.host.resources().lockedBytes()).isEqualTo(locked);
      var lower = open.space.register(memory.asSlice(0, 32 << 10));
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> open.space.register(memory.asSlice(16 << 10, 32 << 10)))
          .withMessageContaining("only partly in")
          .withMessageContaining("DmaSpace.register");
      lower.close();
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void memoryThatTheKernelDoesNotUnmapIsFreedOnlyAfterTheGroupIsDetached(String space) {
    try (var open = OpenSpace.open(space)) {
      var buffer = open.space.allocate(64 << 10);
      long iova = buffer.iova();
      open.injector.failEvery(open.unmapCall(), Errno.EIO);
      var calls =
          open.callsOf(
              () ->
                  assertThatExceptionOfType(VfioException.class)
                      .isThrownBy(buffer::close)
                      .withMessageContaining(open.unmapCall()));
      assertThat(calls).containsExactly(open.unmapCall());
      assertThat(open.host.resources().anonymousMappings()).isEqualTo(1);
      assertThat(buffer.segment().scope().isAlive()).isFalse();
      assertThat(open.space.layout().mappings())
          .singleElement()
          .matches(live -> live.mapped() && live.iova() == iova);
      open.checkAgreement("");
      var closing = open.callsOf(open.groups::close);
      assertThat(closing.lastIndexOf("munmap")).isGreaterThan(closing.lastIndexOf("close"));
    }
  }

  @Test
  void anUnmapThatFailedOnceCanBeRepeated() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      var buffer = open.space.allocate(4096);
      open.injector.failCall(open.injector.calls().size(), Errno.EBUSY);
      assertThatExceptionOfType(VfioException.class).isThrownBy(buffer::unmap);
      assertThat(buffer.isMapped()).isTrue();
      buffer.unmap();
      assertThat(buffer.isMapped()).isFalse();
      assertThat(open.callsOf(buffer::close)).containsExactly("munmap");
    }
  }

  @Test
  void aLeakNamesItsPlace() throws Exception {
    var told = new ConcurrentLinkedQueue<String>();
    var handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            var message = MessageFormat.format(record.getMessage(), record.getParameters());
            // Other tests leave mappings to their space, too.
            if (record.getLevel().equals(Level.WARNING) && message.contains("aLeakNamesItsPlace")) {
              told.add(message);
            }
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    var logger = Logger.getLogger("io.jvfio");
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      long kept = open.space.allocate(4096).iova();
      open.space.allocate(8192).close();
      var deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      while (told.isEmpty() && System.nanoTime() < deadline) {
        System.gc();
        Thread.sleep(10);
      }
      assertThat(told)
          .singleElement()
          .asString()
          .contains(
              "DMA mapping 0x%x..0x%x (4,096 bytes) was never closed".formatted(kept, kept + 4095))
          .contains("SpaceLifetimeTest.aLeakNamesItsPlace(SpaceLifetimeTest.java:")
          .contains("until its DMA space is closed");
      assertThat(open.space.layout().mappings()).hasSize(1);
      assertThat(open.space.layout().mappings().getFirst().mapped()).isTrue();
    } finally {
      logger.removeHandler(handler);
      logger.setUseParentHandlers(true);
    }
  }

  @Test
  void manyThreadsMapAndCloseAtOnce() throws Exception {
    try (var open = OpenSpace.open("pseries-6.12 spapr-tce-v2");
        var threads = Executors.newFixedThreadPool(4)) {
      var done =
          threads.invokeAll(
              Collections.nCopies(
                  4,
                  () -> {
                    for (int i = 0; i < 100; i++) {
                      try (DmaMapping mapping = open.space.allocate(4096)) {
                        mapping.unmap();
                        mapping.map();
                      }
                    }
                    return true;
                  }));
      for (var one : done) {
        assertThat(one.get()).isEqualTo(true);
      }
      assertThat(open.space.layout().mappings()).isEmpty();
      open.checkAgreement("");
    }
  }
}

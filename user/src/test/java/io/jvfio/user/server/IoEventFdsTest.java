// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.sun.management.ThreadMXBean;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.IoEventRegister;
import io.jvfio.model.PciFunction;
import io.jvfio.model.PciModel;
import io.jvfio.model.RefusedAccessException;
import io.jvfio.model.RegisterMap;
import io.jvfio.user.SharedFile;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SubRegion;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class IoEventFdsTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  private static final int HEAD = 16;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment reply = arena.allocate(4096, 8);
  private final long descriptors = SharedFile.openDescriptors();
  private final Device model = new Device();

  @AfterEach
  void nothingIsLeft() {
    arena.close();
    assertThat(SharedFile.openDescriptors()).isEqualTo(descriptors);
  }

  private static final class Device implements PciModel {
    List<IoEventRegister> events = List.of();
    final List<String> writes = new ArrayList<>();
    int count;

    private final PciFunction function =
        PciFunction.builder(1, 2, 3)
            .memory(0, RegisterMap.builder("registers", 4096).build())
            .ports(2, RegisterMap.builder("ports", 16).build())
            .build();

    @Override
    public PciFunction function() {
      return function;
    }

    @Override
    public List<IoEventRegister> ioEventRegisters() {
      return events;
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      count++;
      if (offset == 8) {
        throw new RefusedAccessException("not now");
      }
      if (count < 100) {
        writes.add("%d %x %d %x".formatted(bar, offset, width, value));
      }
    }
  }

  private int ask(IoEventFds events, int index, int argsz) {
    var message = arena.allocate(RegionIoFds.BYTES, 8);
    Header.writeCommand(message, 1, Command.DEVICE_GET_REGION_IO_FDS, RegionIoFds.BYTES);
    RegionIoFds.ARGSZ.set(message, argsz);
    RegionIoFds.INDEX.set(message, index);
    reply.fill((byte) 0x5a);
    return events.answer(message, RegionIoFds.BYTES, reply);
  }

  private void signal(int fd) {
    var one = arena.allocateFrom(ValueLayout.JAVA_LONG, 1);
    assertThat(KERNEL.write(fd, one)).isEqualTo(8);
  }

  @Test
  void aSignalIsAWriteOfTheModel() {
    model.events =
        List.of(
            IoEventRegister.of(0, 0x10, 4),
            IoEventRegister.matching(2, 4, 1, 0x42),
            IoEventRegister.matching(0, 0x20, 8, -1));
    try (var events = new IoEventFds(KERNEL, model, 8)) {
      assertThat(events.fd()).isEqualTo(-1);
      assertThat(events.poll()).isFalse();
      assertThat(ask(events, 0, 4096)).isEqualTo(HEAD + 2 * 48);
      assertThat(RegionIoFds.ARGSZ.get(reply)).isEqualTo(HEAD + 2 * 48);
      assertThat(RegionIoFds.FLAGS.get(reply)).isZero();
      assertThat(RegionIoFds.INDEX.get(reply)).isZero();
      assertThat(RegionIoFds.COUNT.get(reply)).isEqualTo(2);
      assertThat(events.fdCount()).isEqualTo(2);
      int first = events.fds()[0];
      int second = events.fds()[1];
      assertThat(SubRegion.OFFSET.get(reply, SubRegion.at(0, 48))).isEqualTo(0x10);
      assertThat(SubRegion.SIZE.get(reply, SubRegion.at(0, 48))).isEqualTo(4);
      assertThat(SubRegion.FD_INDEX.get(reply, SubRegion.at(0, 48))).isZero();
      assertThat(SubRegion.FLAGS.get(reply, SubRegion.at(0, 48))).isZero();
      assertThat(SubRegion.OFFSET.get(reply, SubRegion.at(1, 48))).isEqualTo(0x20);
      assertThat(SubRegion.FD_INDEX.get(reply, SubRegion.at(1, 48))).isEqualTo(1);
      assertThat(SubRegion.TYPE.get(reply, SubRegion.at(1, 48))).isEqualTo(SubRegion.IOEVENTFD);
      assertThat(SubRegion.FLAGS.get(reply, SubRegion.at(1, 48))).isEqualTo(SubRegion.IS_MATCHED);
      assertThat(SubRegion.datamatch(48).get(reply, SubRegion.at(1, 48))).isEqualTo(-1);
      // Where the specification has it in its shorter entries.
      assertThat(SubRegion.SHADOW_OFFSET.get(reply, SubRegion.at(1, SubRegion.SHADOW_BYTES)))
          .isEqualTo(-1);

      assertThat(ask(events, 2, HEAD + 40)).isEqualTo(HEAD + 40);
      assertThat(events.fdCount()).isEqualTo(1);
      assertThat(SubRegion.datamatch(40).get(reply, SubRegion.at(0, 40))).isEqualTo(0x42);
      assertThat(SubRegion.FLAGS.get(reply, SubRegion.at(0, 40)))
          .isEqualTo(SubRegion.IS_MATCHED | 2);

      assertThat(events.poll()).isFalse();
      signal(second);
      assertThat(KERNEL.awaitReadable(events.fd(), 0)).isEqualTo(1);
      assertThat(events.poll()).isTrue();
      assertThat(KERNEL.awaitReadable(events.fd(), 0)).isZero();
      assertThat(events.poll()).isFalse();
      signal(first);
      signal(first);
      signal(events.fds()[0]);
      assertThat(events.poll()).isTrue();
      signal(first);
      assertThat(events.poll()).isTrue();
      assertThat(model.writes)
          .containsExactly("0 20 8 ffffffffffffffff", "0 10 4 0", "2 4 1 42", "0 10 4 0");
    }
  }

  @Test
  void theSameDescriptorsAreHandedOutAgain() {
    model.events = List.of(IoEventRegister.of(0, 0x10, 4));
    try (var events = new IoEventFds(KERNEL, model, 8)) {
      assertThat(ask(events, 0, 4096)).isEqualTo(HEAD + 48);
      int fd = events.fds()[0];
      assertThat(ask(events, 0, HEAD + 40)).isEqualTo(HEAD + 40);
      assertThat(events.fds()[0]).isEqualTo(fd);
    }
  }

  @Test
  void theValueWrittenLastIsFoundInTheShadow() {
    model.events =
        List.of(
            IoEventRegister.shadowed(0, 0x1000 - 4, 4),
            IoEventRegister.of(0, 0x20, 2),
            IoEventRegister.shadowed(0, 0x18, 1));
    try (var events = new IoEventFds(KERNEL, model, 8)) {
      assertThat(ask(events, 0, 4096)).isEqualTo(HEAD + 3 * 48);
      assertThat(events.fdCount()).isEqualTo(4);
      assertThat(SubRegion.TYPE.get(reply, SubRegion.at(0, 48)))
          .isEqualTo(SubRegion.IOEVENTFD_SHADOW);
      assertThat(SubRegion.TYPE.get(reply, SubRegion.at(1, 48))).isEqualTo(SubRegion.IOEVENTFD);
      assertThat(SubRegion.TYPE.get(reply, SubRegion.at(2, 48)))
          .isEqualTo(SubRegion.IOEVENTFD_SHADOW);
      assertThat(SubRegion.SHADOW_FD_INDEX.get(reply, SubRegion.at(2, SubRegion.SHADOW_BYTES)))
          .isEqualTo(SubRegion.SHADOW_FD_INDEX.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES)));
      int shadow =
          events
              .fds()[SubRegion.SHADOW_FD_INDEX.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES))];
      long offset = SubRegion.SHADOW_OFFSET.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES));
      assertThat(SubRegion.SHADOW_OFFSET.get(reply, SubRegion.at(2, SubRegion.SHADOW_BYTES)))
          .isNotEqualTo(offset);
      var value = arena.allocateFrom(ValueLayout.JAVA_INT, 0x89abcdef);
      assertThat(KERNEL.pwrite(shadow, value, offset)).isEqualTo(4);
      signal(events.fds()[SubRegion.FD_INDEX.get(reply, SubRegion.at(0, 48))]);
      assertThat(events.poll()).isTrue();
      assertThat(
              KERNEL.pwrite(
                  shadow,
                  value,
                  SubRegion.SHADOW_OFFSET.get(reply, SubRegion.at(2, SubRegion.SHADOW_BYTES))))
          .isEqualTo(4);
      signal(events.fds()[SubRegion.FD_INDEX.get(reply, SubRegion.at(2, 48))]);
      assertThat(events.poll()).isTrue();
      assertThat(model.writes).containsExactly("0 ffc 4 89abcdef", "0 18 1 ef");
    }
  }

  @Test
  void whoKnowsNoShadowsWritesSuchRegistersAsOthers() {
    model.events = List.of(IoEventRegister.shadowed(0, 0x10, 4), IoEventRegister.of(0, 0x20, 2));
    try (var events = new IoEventFds(KERNEL, model, 8)) {
      assertThat(ask(events, 0, HEAD + 48)).isEqualTo(HEAD + 40);
      assertThat(RegionIoFds.COUNT.get(reply)).isEqualTo(1);
      assertThat(events.fdCount()).isEqualTo(1);
      assertThat(SubRegion.OFFSET.get(reply, SubRegion.at(0, 40))).isEqualTo(0x20);
    }
  }

  @Test
  void anAnswerThatFindsNoRoomTellsHowMuchItWants() {
    model.events = List.of(IoEventRegister.of(0, 0x10, 4), IoEventRegister.of(0, 0x20, 2));
    try (var events = new IoEventFds(KERNEL, model, 8)) {
      for (int argsz : new int[] {HEAD, HEAD + 40, HEAD + 79}) {
        assertThat(ask(events, 0, argsz)).isEqualTo(HEAD);
        assertThat(RegionIoFds.ARGSZ.get(reply)).isEqualTo(HEAD + 96);
        assertThat(RegionIoFds.COUNT.get(reply)).isEqualTo(2);
        assertThat(events.fdCount()).isZero();
      }
      assertThat(events.fd()).isEqualTo(-1);
      assertThat(ask(events, 0, HEAD + 80)).isEqualTo(HEAD + 80);
      assertThat(ask(events, 0, -1)).isEqualTo(HEAD + 96);
    }
  }

  @Test
  void registersBeyondTheDescriptorsThatTheClientTakesAreLeftOut() {
    model.events =
        List.of(
            IoEventRegister.of(0, 0x10, 4),
            IoEventRegister.shadowed(0, 0x20, 4),
            IoEventRegister.of(0, 0x30, 4),
            IoEventRegister.of(0, 0x40, 4));
    try (var events = new IoEventFds(KERNEL, model, 2)) {
      assertThat(ask(events, 0, 4096)).isEqualTo(HEAD + 48);
      assertThat(events.fdCount()).isEqualTo(1);
      assertThat(ask(events, 0, HEAD + 47)).isEqualTo(HEAD);
    }
    try (var events = new IoEventFds(KERNEL, model, 4)) {
      assertThat(ask(events, 0, 4096)).isEqualTo(HEAD + 3 * 48);
      assertThat(events.fdCount()).isEqualTo(4);
    }
  }

  @Test
  void requestsThatCannotBeMeantAreRefused() {
    try (var events = new IoEventFds(KERNEL, model, 4)) {
      int invalid = Errno.EINVAL.result();
      assertThat(ask(events, 0, HEAD - 1)).isEqualTo(invalid);
      assertThat(ask(events, 9, 4096)).isEqualTo(invalid);
      assertThat(ask(events, -1, 4096)).isEqualTo(invalid);
      assertThat(ask(events, 1, 4096)).isEqualTo(invalid);
      assertThat(ask(events, 0, 4096)).isEqualTo(HEAD);
      assertThat(RegionIoFds.COUNT.get(reply)).isZero();
      assertThat(ask(events, 7, HEAD)).isEqualTo(HEAD);
      var message = arena.allocate(RegionIoFds.BYTES, 8);
      RegionIoFds.ARGSZ.set(message, 4096);
      assertThat(events.answer(message, RegionIoFds.BYTES - 1, reply)).isEqualTo(invalid);
      RegionIoFds.COUNT.set(message, 1);
      assertThat(events.answer(message, RegionIoFds.BYTES, reply)).isEqualTo(invalid);
      RegionIoFds.COUNT.set(message, 0);
      RegionIoFds.FLAGS.set(message, 1);
      assertThat(events.answer(message, RegionIoFds.BYTES, reply)).isEqualTo(invalid);
    }
  }

  @Test
  void registersThatAreNotThereAreTheModelsMistake() {
    model.events = List.of(IoEventRegister.of(1, 0, 4));
    assertThatIllegalArgumentException().isThrownBy(() -> new IoEventFds(KERNEL, model, 4));
    model.events = List.of(IoEventRegister.of(0, 4096, 4));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new IoEventFds(KERNEL, model, 4))
        .withMessageContaining("4096 bytes");
  }

  @Test
  void aClientThatTakesBackWhatItSharesHarmsNobody() throws IOException {
    model.events = List.of(IoEventRegister.shadowed(0, 0x10, 4), IoEventRegister.of(0, 8, 4));
    try (var events = new IoEventFds(KERNEL, model, 4)) {
      assertThat(ask(events, 0, 4096)).isEqualTo(HEAD + 96);
      int shadow =
          events
              .fds()[SubRegion.SHADOW_FD_INDEX.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES))];
      try (var file = new RandomAccessFile("/proc/self/fd/" + shadow, "rw")) {
        file.setLength(0);
      }
      signal(events.fds()[SubRegion.FD_INDEX.get(reply, SubRegion.at(0, 48))]);
      signal(
          events
              .fds()[
              SubRegion.FD_INDEX.get(
                  reply, SubRegion.at(1, 48))]); // of which the model refuses writes
      assertThat(events.poll()).isTrue();
      assertThat(model.writes).containsExactly("0 10 4 0");
      // Whether somebody reads the count in between, or lets a read wait, does not matter.
      var count = arena.allocate(8);
      assertThat(
              KERNEL.read(events.fds()[SubRegion.FD_INDEX.get(reply, SubRegion.at(1, 48))], count))
          .isIn(8L, (long) Errno.EAGAIN.result());
      assertThat(events.poll()).isFalse();
    }
  }

  @Test
  void signalsOfBeforeAResetAreForgotten() {
    model.events = List.of(IoEventRegister.of(0, 0x10, 4), IoEventRegister.of(0, 0x20, 4));
    try (var events = new IoEventFds(KERNEL, model, 4)) {
      events.discard();
      assertThat(ask(events, 0, 4096)).isPositive();
      signal(events.fds()[0]);
      signal(events.fds()[1]);
      events.discard();
      assertThat(events.poll()).isFalse();
      signal(events.fds()[1]);
      assertThat(events.poll()).isTrue();
      assertThat(model.writes).containsExactly("0 20 4 0");
    }
  }

  @Test
  void descriptorsAreClosedOnce() {
    model.events = List.of(IoEventRegister.shadowed(0, 0x10, 4));
    var events = new IoEventFds(KERNEL, model, 4);
    assertThat(ask(events, 0, 4096)).isPositive();
    int taken = KERNEL.open("/proc/self/fd/" + events.fds()[1], Kernel.O_RDWR);
    events.close();
    events.close();
    assertThat(events.poll()).isFalse();
    assertThat(KERNEL.close(taken)).isZero();
  }

  @Test
  void nothingIsAllocatedForASignal() {
    model.events = List.of(IoEventRegister.shadowed(0, 0x10, 4), IoEventRegister.of(0, 0x20, 4));
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var events = new IoEventFds(KERNEL, model, 4)) {
      assertThat(ask(events, 0, 4096)).isPositive();
      var one = arena.allocateFrom(ValueLayout.JAVA_LONG, 1);
      signalOften(events, one, 20_000);
      // The compiler may still change its mind, and what it interprets meanwhile allocates.
      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getCurrentThreadAllocatedBytes();
        signalOften(events, one, 1000);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }

  private static void signalOften(IoEventFds events, MemorySegment one, int times) {
    for (int i = 0; i < times; i++) {
      KERNEL.write(events.fds()[(i & 1) * 2], one);
      events.poll();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import org.junit.jupiter.api.Test;

/** Doorbells in memory, and how the controller asks to be rung. */
class NvmeShadowDoorbellsTest {
  private static final int DNR = 0x4000;
  private static final long DOORBELLS = 0x2_0000;
  private static final long EVENTS = 0x2_1000;
  private static final long OTHER_DOORBELLS = 0x2_2000;
  private static final long OTHER_EVENTS = 0x2_3000;
  private static final Command READ = NvmeHost.blocks(2, 0, 1);

  private static NvmeModelOptions options() {
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20));
  }

  private static int configure(NvmeHost host) {
    return host.admin.run(Command.admin(0x7c, 0, 0).at(DOORBELLS, EVENTS)).status();
  }

  private static NvmeHost shadowed(NvmeModelOptions options) {
    var host = new NvmeHost(options).enableIo();
    host.memory.asSlice(DOORBELLS, 0x2000).fill((byte) 0);
    assertThat(configure(host)).isZero();
    return host;
  }

  /** Moves a shadow doorbell as Linux does; true if the register has to be written too. */
  private static boolean move(NvmeHost host, int doorbell, int value) {
    long at = 4L * doorbell;
    int old = host.memory.get(LE32, DOORBELLS + at);
    host.memory.set(LE32, DOORBELLS + at, value);
    int event = host.memory.get(LE32, EVENTS + at);
    return ((value - event - 1) & 0xffff) < ((value - old) & 0xffff);
  }

  private static boolean submit(NvmeHost host) {
    host.io.put(READ);
    return move(host, 2, host.io.tail);
  }

  private static boolean acknowledge(NvmeHost host) {
    return move(host, 3, host.io.head);
  }

  @Test
  void takesTailsAndHeadsFromMemory() {
    try (var host = shadowed(options())) {
      for (int i = 0; i < 20; i++) {
        if (submit(host)) {
          host.io.ring();
        }
        assertThat(host.io.takeAll()).as("command %d", i).hasSize(1);
        if (acknowledge(host)) {
          host.io.acknowledge();
        }
      }
    }
  }

  @Test
  void doesNotBelieveTheRegister() {
    try (var host = shadowed(options())) {
      host.io.put(READ);
      host.io.ring();
      assertThat(host.io.takeAll()).isEmpty();

      move(host, 2, 1);
      host.io.ring();
      assertThat(host.io.takeAll()).hasSize(1);
    }
  }

  @Test
  void asksToBeRungForTheNextCommandUnlessItIsPolled() {
    try (var host = shadowed(options())) {
      submit(host);
      host.io.ring();
      assertThat(host.memory.get(LE32, EVENTS + 8)).isEqualTo(1);
      host.io.takeAll();
      assertThat(submit(host)).isTrue();
    }
    try (var host = shadowed(options().withPolling())) {
      int rings = 0;
      for (int i = 0; i < 100; i++) {
        rings += submit(host) ? 1 : 0;
        assertThat(host.model.poll()).isTrue();
        assertThat(host.io.takeAll()).hasSize(1);
        rings += acknowledge(host) ? 1 : 0;
      }
      // Event indexes begin at 0, which the first command passes, and keep out of the way then.
      assertThat(rings).isEqualTo(1);
      assertThat(host.model.poll()).isFalse();
    }
  }

  @Test
  void isNotRungForARingThatIsFilledAtOnceAgainAndAgain() {
    int entries = 33;
    try (var host = new NvmeHost(options().withPolling()).enable()) {
      int size = (entries - 1) << 16;
      host.admin.run(Command.admin(0x05, 1 | size, 1).at(NvmeHost.IO_CQ));
      host.admin.run(Command.admin(0x01, 1 | size, 0x1_0001).at(NvmeHost.IO_SQ));
      host.io = host.new Queues(1, NvmeHost.IO_SQ, NvmeHost.IO_CQ, entries);
      host.memory.asSlice(DOORBELLS, 0x2000).fill((byte) 0);
      assertThat(configure(host)).isZero();
      int rings = 0;
      for (int round = 0; round < 100; round++) {
        for (int i = 1; i < entries; i++) {
          host.io.put(READ);
        }
        if (move(host, 2, host.io.tail)) {
          rings++;
          host.io.ring();
        }
        host.model.poll();
        assertThat(host.io.takeAll()).hasSize(entries - 1);
        if (acknowledge(host)) {
          rings++;
          host.io.acknowledge();
        }
      }
      assertThat(rings).isLessThan(8);
    }
  }

  @Test
  void asksToBeRungForCompletionsOnlyWhenTheyAreInTheWay() {
    try (var host = shadowed(options())) {
      for (int i = 0; i < 3; i++) {
        submit(host);
        host.io.ring();
      }
      assertThat(host.io.takeAll()).hasSize(3);
      assertThat(host.memory.get(LE32, EVENTS + 12)).as("not asked").isZero();
      submit(host);
      host.io.ring();
      assertThat(host.io.takeAll()).as("no room").isEmpty();

      assertThat(acknowledge(host)).isTrue();
      host.io.acknowledge();

      assertThat(host.io.takeAll()).hasSize(1);
    }
  }

  /** Not only of those at the beginning, of which memory that is zeroed says so by itself. */
  @Test
  void asksToBeRungForTheCompletionsThatAreInTheWay() {
    try (var host = shadowed(options())) {
      for (int begin = 0; begin < 10; begin++) {
        for (int i = 0; i < 4; i++) {
          submit(host);
          host.io.ring();
        }
        assertThat(host.io.takeAll()).as("no room for the fourth").hasSize(3);
        assertThat(host.memory.get(LE32, EVENTS + 12)).isEqualTo((host.io.head + 1) % 4);
        assertThat(acknowledge(host)).isTrue();
        host.io.acknowledge();
        assertThat(host.io.takeAll()).hasSize(1);
        acknowledge(host);
        host.io.acknowledge();
        submit(host); // so that the next time is one further on
        host.io.ring();
        assertThat(host.io.takeAll()).hasSize(1);
        acknowledge(host);
        host.io.acknowledge();
      }
    }
  }

  /** Between the last look at a doorbell and the request to be rung. */
  @Test
  void seesACommandThatCameBeforeItAskedToBeRung() {
    try (var host = shadowed(options())) {
      submit(host);
      host.onAccess =
          iova -> {
            if (iova == EVENTS + 8) {
              host.onAccess = _ -> {};
              submit(host);
            }
          };
      host.io.ring();

      assertThat(host.io.takeAll()).hasSize(2);
    }
  }

  @Test
  void keepsTheDoorbellsOfQueuesApart() {
    for (boolean isPolled : new boolean[] {false, true}) {
      var options = isPolled ? options().withPolling() : options();
      try (var host = new NvmeHost(options).enable()) {
        host.memory.asSlice(DOORBELLS, 0x2000).fill((byte) 0xff);
        assertThat(configure(host)).isZero();
        int size = (NvmeHost.IO_ENTRIES - 1) << 16;
        host.admin.run(Command.admin(0x05, 5 | size, 1).at(NvmeHost.IO_CQ));
        host.admin.run(Command.admin(0x01, 5 | size, 0x5_0001).at(NvmeHost.IO_SQ));
        host.io = host.new Queues(5, NvmeHost.IO_SQ, NvmeHost.IO_CQ, NvmeHost.IO_ENTRIES);
        for (int i = 0; i < 20; i++) {
          host.io.put(READ);
          host.memory.set(LE32, DOORBELLS + 40, host.io.tail);
          if (isPolled) {
            host.model.poll();
          } else {
            host.io.ring();
          }
          assertThat(host.io.await(1)).as("command %d", i).hasSize(1);
          host.memory.set(LE32, DOORBELLS + 44, host.io.head);
        }
        for (int number = 0; number < 1024; number++) {
          int event = host.memory.get(LE32, EVENTS + 4L * number);
          if (number == 10) {
            assertThat(event).as("of the submission queue").isBetween(0, 3);
          } else if (number != 11) {
            assertThat(event).as("event index %d", number).isEqualTo(-1);
          }
        }
      }
    }
  }

  @Test
  void seesByItselfThatThereIsRoomAgain() {
    try (var host = shadowed(options())) {
      for (int i = 0; i < 3; i++) {
        submit(host);
        host.io.ring();
      }
      assertThat(host.io.takeAll()).hasSize(3);
      acknowledge(host);

      submit(host);
      host.io.ring();

      assertThat(host.io.takeAll()).hasSize(1);
    }
  }

  /** Of a command that was held no completion was kept room for. */
  @Test
  void seesInMemoryThatThereIsRoomForALateAnswer() {
    var faults = new NvmeFaults();
    try (var host = shadowed(options().withFaults(faults))) {
      faults.inject(NvmeFault.hold().onIo().times(1));
      for (int i = 0; i < 4; i++) {
        submit(host);
        host.io.ring();
      }
      faults.release();
      host.status();
      assertThat(host.io.takeAll()).as("as many as there is room for").hasSize(3);
      acknowledge(host);

      host.status();

      assertThat(host.io.takeAll()).hasSize(1);
    }
  }

  /** Gives the controller other pages, with the doorbells as they are and nothing asked for. */
  private static void moveDoorbells(NvmeHost host) {
    host.memory.asSlice(OTHER_DOORBELLS, 0x1000).copyFrom(host.memory.asSlice(DOORBELLS, 0x1000));
    host.memory.asSlice(OTHER_EVENTS, 0x1000).fill((byte) 0);
    var command = Command.admin(0x7c, 0, 0).at(OTHER_DOORBELLS, OTHER_EVENTS);
    assertThat(host.admin.run(command).status()).isZero();
  }

  @Test
  void asksToBeRungInThePageThatItWasGivenLast() {
    try (var host = shadowed(options())) {
      submit(host);
      host.io.ring();
      assertThat(host.memory.get(LE32, EVENTS + 8)).isEqualTo(1);

      moveDoorbells(host);
      host.io.ring();

      assertThat(host.memory.get(LE32, OTHER_EVENTS + 8)).isEqualTo(1);
    }
  }

  @Test
  void asksToBeRungForCompletionsInThePageThatItWasGivenLast() {
    try (var host = shadowed(options())) {
      submit(host);
      host.io.ring();
      assertThat(host.io.takeAll()).hasSize(1);
      acknowledge(host);
      for (int i = 0; i < 4; i++) {
        submit(host);
        host.io.ring();
      }
      assertThat(host.memory.get(LE32, EVENTS + 12)).as("there is no room").isEqualTo(1);

      moveDoorbells(host);
      host.io.ring();

      assertThat(host.memory.get(LE32, OTHER_EVENTS + 12)).isEqualTo(1);
    }
  }

  @Test
  void lowersTheLineOnceCompletionsAreTaken() {
    var options = options();
    try (var host = new NvmeHost(options).enable()) {
      int size = (NvmeHost.IO_ENTRIES - 1) << 16;
      host.admin.run(Command.admin(0x05, 1 | size, 3).at(NvmeHost.IO_CQ));
      host.admin.run(Command.admin(0x01, 1 | size, 0x1_0001).at(NvmeHost.IO_SQ));
      host.memory.asSlice(DOORBELLS, 0x2000).fill((byte) 0);
      assertThat(configure(host)).isZero();
      for (int i = 0; i < 6; i++) {
        submit(host);
        host.io.ring();
        assertThat(host.line).isTrue();
        host.io.takeAll();
        assertThat(acknowledge(host)).isTrue();
        host.io.acknowledge();
        assertThat(host.line).isFalse();
      }
    }
  }

  @Test
  void reportsABadValueAndStaysWhereItWas() {
    try (var host = shadowed(options())) {
      host.admin.put(Command.admin(0x0c, 0, 0));
      host.admin.ring();

      move(host, 2, NvmeHost.IO_ENTRIES);
      host.io.ring();

      var event = host.admin.takeAll();
      assertThat(event).hasSize(1);
      assertThat(event.getFirst().result()).isEqualTo(0x0001_0100);
      assertThat(host.io.takeAll()).isEmpty();
    }
  }

  @Test
  void reportsABadHeadOnceItLooksForRoom() {
    try (var host = shadowed(options())) {
      for (int i = 0; i < 3; i++) {
        submit(host);
        host.io.ring();
      }
      assertThat(host.io.takeAll()).hasSize(3);
      host.admin.put(Command.admin(0x0c, 0, 0));
      host.admin.ring();
      assertThat(host.admin.takeAll()).isEmpty();

      move(host, 3, NvmeHost.IO_ENTRIES);
      submit(host);
      host.io.ring();

      assertThat(host.admin.takeAll()).extracting("result").containsExactly(0x0001_0100);
      assertThat(host.io.takeAll()).as("no room").isEmpty();
    }
  }

  @Test
  void failsWhenTheDoorbellsCannotBeReached() {
    try (var host = shadowed(options())) {
      host.mappedEnd = DOORBELLS;

      host.io.ring();

      assertThat(host.status()).isEqualTo(3);
    }
  }

  @Test
  void leavesTheAdminQueueToTheRegisterAndForgetsWithAReset() {
    try (var host = shadowed(options())) {
      assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).status()).isZero();

      host.configure(0);
      host.enableIo();

      assertThat(host.io.run(READ).status()).isZero();
    }
  }

  @Test
  void refusesBuffersThatAreNoPages() {
    try (var host = new NvmeHost(options()).enableIo()) {
      for (long bad : new long[] {0, DOORBELLS + 8}) {
        var first = Command.admin(0x7c, 0, 0).at(bad, EVENTS);
        assertThat(host.admin.run(first).status()).isEqualTo(0x02 | DNR);
        var second = Command.admin(0x7c, 0, 0).at(DOORBELLS, bad);
        assertThat(host.admin.run(second).status()).isEqualTo(0x02 | DNR);
      }
    }
    try (var host = new NvmeHost(options().withoutShadowDoorbells()).enableIo()) {
      assertThat(configure(host)).isEqualTo(0x01 | DNR);
    }
  }
}

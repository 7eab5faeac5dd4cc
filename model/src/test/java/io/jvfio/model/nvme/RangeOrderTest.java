// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.StorageRequest.Operation;
import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may begin when, at ranges that overlap. */
class RangeOrderTest {
  private final Arena arena = Arena.ofShared();
  private final RangeOrder order = new RangeOrder();
  private final ArrayDeque<FileTask> begun = new ArrayDeque<>();

  @AfterEach
  void close() {
    arena.close();
  }

  private FileTask task(Operation operation, long offset, long byteSize) {
    var task = new FileTask(new FileVectors(arena), 0);
    task.begin(new StorageRequest(_ -> {}).range(operation, offset, byteSize, false));
    return task;
  }

  private boolean add(FileTask task) {
    return order.add(task);
  }

  private void remove(FileTask task) {
    order.remove(task, begun::add);
  }

  private List<FileTask> takeBegun() {
    var taken = List.copyOf(begun);
    begun.clear();
    return taken;
  }

  @Test
  void letsReadersReadTogetherAndWritersWriteAlone() {
    var reader = task(Operation.READ, 0, 8192);
    var other = task(Operation.READ, 4096, 4096);
    var writer = task(Operation.WRITE, 8191, 1);
    var behind = task(Operation.READ, 8192, 512);
    assertThat(add(reader)).isTrue();
    assertThat(add(other)).isTrue();
    assertThat(add(writer)).isFalse();
    assertThat(add(behind)).isTrue();

    remove(reader);
    assertThat(takeBegun()).isEmpty();
    remove(other);
    assertThat(takeBegun()).containsExactly(writer);
    assertThat(writer.order.isWaiting()).isFalse();
  }

  @Test
  void hasTheOneThatCameFirstBeginFirstAlsoWhereThatWaits() {
    var reader = task(Operation.READ, 0, 512);
    var writer = task(Operation.WRITE, 0, 1024);
    var late = task(Operation.READ, 512, 512);
    assertThat(add(reader)).isTrue();
    assertThat(add(writer)).isFalse();
    assertThat(add(late)).as("or readers would keep a writer out for ever").isFalse();

    remove(reader);
    assertThat(takeBegun()).containsExactly(writer);
    remove(writer);
    assertThat(takeBegun()).containsExactly(late);
  }

  @Test
  void letsOthersBeginWhenOneThatWaitsIsTakenBack() {
    var first = task(Operation.WRITE, 0, 1024);
    var waiting = task(Operation.WRITE, 512, 1024);
    var late = task(Operation.READ, 1024, 512);
    add(first);
    add(waiting);
    add(late);

    remove(waiting);
    assertThat(takeBegun()).containsExactly(late);
    remove(first);
    assertThat(takeBegun()).isEmpty();
  }

  @Test
  void knowsAPlaceFromTheOneThatIsAsFarAsTheTableIsLarge() {
    long far = 1L << 26;
    assertThat(add(task(Operation.WRITE, 0, 512))).isTrue();
    assertThat(add(task(Operation.WRITE, far, 512))).isTrue();
    assertThat(add(task(Operation.CLEAR, 512, far))).isFalse();
  }

  /** Any ranges, against a list of all that are there. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void neverHasTwoAtOneBlockOfWhichOneChangesItAndKeepsNobodyWaiting(long seed) {
    var random = new Random(seed);
    var running = new ArrayList<FileTask>();
    var present = new ArrayList<FileTask>(); // in the order of their coming
    var operations = Operation.values();
    long largest = seed % 2 == 0 ? 1L << 34 : 64 << 10;
    for (int i = 0; i < 4000; i++) {
      if (i < 3500 && (present.size() < 100 * seed || running.isEmpty()) && random.nextInt(3) > 0) {
        var operation = operations[random.nextInt(4)];
        long size = 512L << random.nextInt(random.nextInt(8) == 0 ? 20 : 4);
        long offset = random.nextLong(largest) & -512;
        var added = task(operation, offset, size);
        boolean mayBegin = present.stream().noneMatch(each -> overlap(each, added));
        assertThat(add(added)).as("the %dth", i).isEqualTo(mayBegin);
        present.add(added);
        if (mayBegin) {
          running.add(added);
        }
      } else if (!present.isEmpty()) {
        var list = random.nextInt(8) == 0 ? present : running;
        var removed = list.get(random.nextInt(list.size()));
        present.remove(removed);
        running.remove(removed);
        remove(removed);
        var expected =
            present.stream()
                .filter(each -> !running.contains(each))
                .filter(
                    each ->
                        present.stream()
                            .takeWhile(earlier -> !earlier.equals(each))
                            .noneMatch(earlier -> overlap(earlier, each)))
                .toList();
        assertThat(takeBegun()).as("the %dth", i).isEqualTo(expected);
        running.addAll(expected);
      }
      assertNoneInTheWay(running);
    }
    while (!running.isEmpty()) {
      var removed = running.removeFirst();
      present.remove(removed);
      remove(removed);
      running.addAll(takeBegun());
      assertNoneInTheWay(running);
    }
    assertThat(present).as("those that never began").isEmpty();
  }

  private static void assertNoneInTheWay(List<FileTask> running) {
    if (running.isEmpty()) {
      return;
    }
    var last = running.getLast();
    for (var each : running) {
      assertThat(each.equals(last) || !overlap(each, last)).isTrue();
    }
  }

  private static boolean overlap(FileTask one, FileTask other) {
    var first = one.request;
    var second = other.request;
    return (first.operation().isChange || second.operation().isChange)
        && first.offset() < second.offset() + second.byteSize()
        && second.offset() < first.offset() + first.byteSize();
  }

  /** A list that grew with the square of its length would take minutes here. */
  @Test
  void takesLittleTimeForManyThatWaitForOne() {
    int many = 4000;
    var wide = task(Operation.CLEAR, 0, 1L << 40);
    var tasks = new ArrayList<FileTask>();
    for (int i = 0; i < many; i++) {
      tasks.add(task(Operation.READ, i * 4096L, 4096));
    }
    long begin = System.nanoTime();
    tasks.forEach(this::add);
    assertThat(add(wide)).isFalse();
    var behind = new ArrayList<FileTask>();
    for (int i = 0; i < many; i++) {
      var reader = task(Operation.READ, i * 4096L, 4096);
      behind.add(reader);
      assertThat(add(reader)).isFalse();
    }
    tasks.forEach(this::remove);
    assertThat(takeBegun()).containsExactly(wide);
    remove(wide);
    assertThat(takeBegun()).isEqualTo(behind);
    assertThat(System.nanoTime() - begin).isLessThan(5_000_000_000L);
  }
}

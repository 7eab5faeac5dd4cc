// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Kernel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What sequences on real kernels cannot show: waiting, and ending while somebody waits. */
@Timeout(120)
class EventFileTest {
  private final Guest guest = new Guest("x86-6.12");
  private final Kernel kernel = guest.kernel;
  private final MemorySegment one = guest.arena.allocateFrom(ValueLayout.JAVA_LONG, 1);

  @AfterEach
  void close() {
    guest.close();
  }

  private String write(int fd, long value) {
    return answer(kernel.write(fd, guest.arena.allocateFrom(ValueLayout.JAVA_LONG, value)));
  }

  private String read(int fd) {
    var count = guest.arena.allocate(8, 8);
    long result = kernel.read(fd, count);
    return result == 8
        ? Long.toUnsignedString(count.get(ValueLayout.JAVA_LONG, 0))
        : answer(result);
  }

  /** Starts something that waits, and goes on when it does so. */
  private static <T> CompletableFuture<T> waiting(Supplier<T> call) throws InterruptedException {
    var result = new CompletableFuture<T>();
    var thread = Thread.ofPlatform().daemon().start(() -> result.complete(call.get()));
    while (thread.getState() != Thread.State.WAITING
        && thread.getState() != Thread.State.TIMED_WAITING
        && !result.isDone()) {
      Thread.onSpinWait();
    }
    return result;
  }

  @Test
  void aReadWaitsForASignal() throws Exception {
    int event = kernel.eventFd(0, 0);
    var count = waiting(() -> read(event));
    assertThat(count).isNotDone();
    assertThat(write(event, 5)).isEqualTo("8");
    assertThat(count.get(1, TimeUnit.MINUTES)).isEqualTo("5");
  }

  @Test
  void aWriteWaitsForRoom() throws Exception {
    int event = kernel.eventFd(0, 0);
    assertThat(write(event, -2)).isEqualTo("8");
    var written = waiting(() -> write(event, 1));
    assertThat(written).isNotDone();
    assertThat(read(event)).isEqualTo("18446744073709551614");
    assertThat(written.get(1, TimeUnit.MINUTES)).isEqualTo("8");
    assertThat(read(event)).isEqualTo("1");
  }

  @Test
  void aSetWakesWhoWaitsForIt() throws Exception {
    int event = kernel.eventFd(0, Kernel.EFD_NONBLOCK);
    int set = kernel.epollCreate();
    kernel.epollControl(set, Kernel.EPOLL_CTL_ADD, event, Kernel.EPOLLIN);
    var ready = new int[4];
    var count = waiting(() -> kernel.epollWait(set, ready, -1));
    var polled = waiting(() -> kernel.awaitReadable(event, -1));
    assertThat(write(event, 1)).isEqualTo("8");
    assertThat(count.get(1, TimeUnit.MINUTES)).isEqualTo(1);
    assertThat(ready[0]).isEqualTo(event);
    assertThat(polled.get(1, TimeUnit.MINUTES)).isEqualTo(1);
  }

  @Test
  void waitsEndWhenTheirTimeIsOver() {
    int event = kernel.eventFd(0, Kernel.EFD_NONBLOCK);
    int set = kernel.epollCreate();
    kernel.epollControl(set, Kernel.EPOLL_CTL_ADD, event, Kernel.EPOLLIN);
    assertThat(kernel.epollWait(set, new int[1], 3)).isZero();
    assertThat(kernel.awaitReadable(event, 3)).isZero();
    assertThat(kernel.awaitReadable(-1, 3)).isZero();
    assertThat(kernel.awaitReadable(999, -1)).as("not open").isEqualTo(1);
    assertThat(answer(kernel.epollWait(set, new int[0], 0))).isEqualTo("EINVAL");
  }

  @Test
  void aSetLivesWhileSomebodyWaitsForIt() throws Exception {
    int event = kernel.eventFd(0, Kernel.EFD_NONBLOCK);
    int set = kernel.epollCreate();
    kernel.epollControl(set, Kernel.EPOLL_CTL_ADD, event, Kernel.EPOLLIN);
    var count = waiting(() -> kernel.epollWait(set, new int[1], -1));
    guest.close(set);
    assertThat(count).isNotDone();
    assertThat(write(event, 1)).isEqualTo("8");
    assertThat(count.get(1, TimeUnit.MINUTES)).isEqualTo(1);
    guest.close(event);
    assertThat(guest.host.resources().openFiles()).isZero();
  }

  @Test
  void whoeverWaitsWhenTheHostEndsIsToldSo() throws Exception {
    int event = kernel.eventFd(0, 0);
    int full = kernel.eventFd(0, 0);
    int set = kernel.epollCreate();
    assertThat(write(full, -2)).isEqualTo("8");
    var read = waiting(() -> read(event));
    var written = waiting(() -> answer(kernel.write(full, one)));
    var count = waiting(() -> answer(kernel.epollWait(set, new int[1], -1)));
    var polled = waiting(() -> answer(kernel.awaitReadable(event, -1)));
    guest.host.close();
    assertThat(read.get(1, TimeUnit.MINUTES)).isEqualTo("EBADF");
    assertThat(written.get(1, TimeUnit.MINUTES)).isEqualTo("EBADF");
    assertThat(count.get(1, TimeUnit.MINUTES)).isEqualTo("EBADF");
    assertThat(polled.get(1, TimeUnit.MINUTES)).isEqualTo("EBADF");
  }

  @Test
  void anInterruptedThreadStaysInterruptedAndWaitsOn() throws Exception {
    int event = kernel.eventFd(0, 0);
    var thread = new CompletableFuture<Thread>();
    var interrupted =
        waiting(
            () -> {
              thread.complete(Thread.currentThread());
              read(event);
              return Thread.currentThread().isInterrupted();
            });
    thread.get().interrupt();
    assertThat(interrupted).isNotDone();
    assertThat(write(event, 1)).isEqualTo("8");
    assertThat(interrupted.get(1, TimeUnit.MINUTES)).isTrue();
  }

  @Test
  void thereAreAsManyAsTheLimitAllows() {
    try (var limited = new Guest("x86-6.12", HostOptions.defaults().withOpenFileLimit(4))) {
      assertThat(limited.kernel.eventFd(0, 0)).isEqualTo(3);
      assertThat(answer(limited.kernel.eventFd(0, 0))).isEqualTo("EMFILE");
      assertThat(answer(limited.kernel.epollCreate())).isEqualTo("EMFILE");
    }
  }
}

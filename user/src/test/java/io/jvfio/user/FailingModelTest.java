// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An error of a device's ends the session of its client, and nothing else. */
@Timeout(120)
class FailingModelTest {
  @TempDir private @Nullable Path directory;

  private final ScriptedModel model = new ScriptedModel();
  private final AtomicInteger resets = new AtomicInteger();
  private Trouble trouble;
  private @Nullable Served served;

  @BeforeEach
  void count() {
    trouble = new Trouble();
    trouble.during("a test");
    model.onReset = resets::incrementAndGet;
  }

  @AfterEach
  void close() {
    if (served != null) {
      served.close();
    }
    trouble.close();
  }

  private Served serve() {
    served = new Served(model, Objects.requireNonNull(directory));
    return served;
  }

  @SuppressWarnings("InfiniteRecursion") // that is what it is for
  private static void overflow() {
    overflow();
    overflow();
  }

  /**
   * The client is sent away, for a reason that is told; the device is reset, and serves the next.
   */
  private void assertEndsOneSession(Served of, RawClient client, String cause) throws Exception {
    client.assertSentAway();
    assertThat(of.awaitLeft(1)).contains(cause);
    assertThat(resets).hasValue(1);
    assertThat(trouble.describe()).contains(cause);
    model.onRead = () -> 7;
    model.onWrite = _ -> {};
    model.onPoll = () -> false;
    try (var next = of.client()) {
      assertThat(next.value(0, 0, 4)).isEqualTo(7);
      assertThat(next.write(0, 0, 4, 7)).isZero();
    }
  }

  private void send(RawClient client) {
    RegionAccess.REGION.set(client.out, 0);
    RegionAccess.OFFSET.set(client.out, 0);
    RegionAccess.COUNT.set(client.out, 4);
    client.call(Command.REGION_WRITE.number(), RegionAccess.BYTES + 4, Header.NO_REPLY);
  }

  @Test
  void anErrorOfAWriteEndsTheSession() throws Exception {
    var of = serve();
    model.onWrite =
        _ -> {
          throw new InternalError("a fault in an unsafe memory access");
        };
    try (var client = of.client()) {
      send(client);
      assertEndsOneSession(of, client, "a fault in an unsafe memory access");
    }
  }

  @Test
  void aStackThatOverflowsEndsTheSession() throws Exception {
    var of = serve();
    model.onWrite = _ -> overflow();
    try (var client = of.client()) {
      send(client);
      assertEndsOneSession(of, client, "StackOverflowError");
    }
  }

  @Test
  void anErrorOfThePollingThreadEndsTheSessionAndNotTheThread() throws Exception {
    var of = serve();
    var thrown = new AtomicInteger();
    try (var client = of.client()) {
      assertThat(client.value(0, 0, 4)).isZero();
      model.onPoll =
          () -> {
            if (thrown.getAndIncrement() == 0) {
              throw new InternalError("in a poll");
            }
            return false;
          };
      model.requestPoll();
      assertEndsOneSession(of, client, "in a poll");
    }
    var polled = new AtomicInteger();
    model.onPoll = () -> polled.incrementAndGet() < 3;
    try (var client = of.client()) {
      model.requestPoll();
      Served.await(() -> polled.get() >= 3);
      assertThat(client.value(0, 0, 4)).isEqualTo(7);
    }
  }

  @Test
  void aMistakeInAPollLeavesTheSessionOfAServerThatPolls() throws Exception {
    served =
        new Served(model, Objects.requireNonNull(directory), VfioUserServerOptions::withPolling);
    var polled = new AtomicInteger();
    try (var client = served.client()) {
      assertThat(client.value(0, 0, 4)).isZero();
      model.onPoll =
          () -> {
            polled.incrementAndGet();
            throw new IllegalStateException("a mistake");
          };
      Served.await(() -> polled.get() >= 3);
      assertThat(client.value(0, 0, 4)).as("the session goes on").isZero();
      assertThat(resets).hasValue(0);
    }
    assertThat(trouble.describe()).contains("a mistake");
  }

  @Test
  void anErrorOfAServerThatPollsEndsTheSession() throws Exception {
    served =
        new Served(model, Objects.requireNonNull(directory), VfioUserServerOptions::withPolling);
    try (var client = served.client()) {
      assertThat(client.value(0, 0, 4)).isZero();
      model.onPoll =
          () -> {
            throw new InternalError("in a poll");
          };
      assertEndsOneSession(served, client, "in a poll");
    }
  }

  @Test
  void aDeviceThatIsKeptIsResetAfterAnErrorAllTheSame() throws Exception {
    served =
        new Served(
            model, Objects.requireNonNull(directory), VfioUserServerOptions::withRetainedState);
    var once = new AtomicBoolean();
    try (var client = served.client()) {
      assertThat(client.value(0, 0, 4)).isZero();
      model.onPoll =
          () -> {
            if (once.compareAndSet(false, true)) {
              throw new InternalError("in a poll");
            }
            return false;
          };
      model.requestPoll();
      assertEndsOneSession(served, client, "in a poll");
    }
    served.awaitLeft(2);
    assertThat(resets).as("kept otherwise").hasValue(1);
  }

  @Test
  void aDeviceThatFailsWhenItsClientGoesServesTheNextOne() throws Exception {
    var of = serve();
    model.onQuiesce =
        () -> {
          throw new InternalError("in quiesce");
        };
    model.onReset =
        () -> {
          resets.incrementAndGet();
          throw new IllegalStateException("in reset");
        };
    int shared = LinuxKernel.instance().memoryFile("client", 0, 4096);
    for (int i = 1; i <= 2; i++) {
      try (var client = of.client()) {
        assertThat(client.value(0, 0, 4)).isZero();
        model.onQuiesce = () -> {};
        assertThat(client.map(0, 4096, 3, shared)).isZero();
        model.onQuiesce =
            () -> {
              throw new InternalError("in quiesce");
            };
      }
      of.awaitLeft(i);
    }
    LinuxKernel.instance().close(shared);
    assertThat(resets).hasValue(2);
    assertThat(SharedFile.mappings()).as("its memory is given back all the same").isZero();
    assertThat(trouble.describe()).contains("in quiesce").contains("in reset");
  }

  @Test
  void aMistakeIsAnErrorOfTheOneCommandAndToldOfNowAndThen() throws Exception {
    var of = serve();
    model.onWrite =
        _ -> {
          throw new IllegalStateException("a mistake\nin two lines");
        };
    try (var client = of.client()) {
      for (int i = 0; i < 200; i++) {
        assertThat(client.write(0, 0, 4, 0)).isEqualTo(Errno.EIO.number());
      }
      assertThat(client.value(0, 0, 4)).isZero();
    }
    assertThat(trouble.describe()).contains("failed in REGION_WRITE").contains("a mistake in two");
    assertThat(trouble.count()).isLessThan(100);
  }

  @Test
  void aListenerThatFailsEndsNoServer() throws Exception {
    served =
        new Served(
            model,
            Objects.requireNonNull(directory),
            options ->
                options.withListener(
                    new VfioUserServerListener() {
                      @Override
                      public void clientCame() {
                        throw new AssertionError("a listener fails");
                      }

                      @Override
                      public void clientLeft(String reason, long messages) {
                        throw new AssertionError("and fails again");
                      }
                    }));
    for (int i = 0; i < 3; i++) {
      try (var client = served.client()) {
        client.assertSentAway();
      }
    }
    assertThat(trouble.describe()).contains("a listener fails").contains("and fails again");
  }
}

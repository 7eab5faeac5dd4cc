// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.VfioException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.sim.FaultInjector;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every system call that a client makes from opening a device to closing it, made to fail, one at a
 * time, with each errno that Linux could give there: nothing is left behind, an exception tells
 * why, and the server serves the next client.
 */
@Timeout(600)
class ClientFaultTest {
  private static final long LIMIT_NANOS = 20_000_000_000L;

  @TempDir Path directory;

  private Path path;
  private Heard heard;
  private VfioUserServer server;

  @BeforeEach
  void serve() {
    path = directory.resolve("s");
    heard = new Heard();
    server =
        VfioUserServer.serve(
            new VictimModel(), VfioUserServerOptions.at(path).withPatience(Duration.ofSeconds(20)));
  }

  @AfterEach
  void close() {
    server.close();
    heard.close();
  }

  private static VfioUserOptions options(boolean twin) {
    return VfioUserOptions.defaults()
        .withRequestTimeout(Duration.ofSeconds(20))
        .withTwinSocket(twin);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void nothingIsLeftWhateverCallFails(boolean twin) throws Exception {
    var calls = run(Fault.NONE, twin);
    assertThat(calls).hasSizeGreaterThan(100);
    Fault.runAll(calls, twin, fault -> run(fault, twin));
  }

  private List<FaultInjector.Call> run(Fault fault, boolean twin) throws Exception {
    var before = Holdings.settled();
    var kernel = new FaultInjector(LinuxKernel.instance());
    fault.arm(kernel);
    try (var device = VfioUser.open(kernel, path, options(twin))) {
      VictimUser.use(device);
    } catch (VfioException e) {
      assertThat(e.getMessage()).endsWith(".").matches(fault::isNamedIn, fault.toString());
      assertThat(e.meaning()).isNotBlank();
    }
    before.awaitAgain(fault.toString());
    try (var device = VfioUser.open(path, options(twin))) {
      assertThat(device.config().read16(0)).isEqualTo(0x1234);
    }
    before.awaitAgain("the next client, after " + fault);
    return kernel.calls();
  }

  @Test
  void aNewConnectionIsMadeOrItIsToldWhyNotWhateverCallFails() throws Exception {
    try (var restarted = ScriptedServer.at(directory.resolve("restarted"))) {
      restarted.mapBar();
      var calls = reconnect(restarted, Fault.NONE);
      assertThat(calls).hasSizeGreaterThan(40).anyMatch(call -> call.operation().equals("mmap"));
      Fault.runAll(calls, true, fault -> reconnect(restarted, fault));
    }
  }

  /** The calls from when the connection was lost on. */
  private List<FaultInjector.Call> reconnect(ScriptedServer restarted, Fault fault)
      throws Exception {
    var before = Holdings.settled();
    var kernel = new FaultInjector(LinuxKernel.instance());
    int begun = 0;
    try (var device =
            VfioUser.open(
                kernel,
                directory.resolve("restarted"),
                options(true).withReconnect(Duration.ofSeconds(20)));
        var registers = device.region(0).registers();
        var buffer = device.dmaSpace().allocate(4096);
        var vectors = device.interrupts().enableMsix(2)) {
      begun = kernel.calls().size();
      fault.arm(kernel);
      restarted.hangUp();
      // The first answer may have come before the end of the connection was noticed.
      long start = System.nanoTime();
      do {
        assertThat(device.config().read16(0)).isEqualTo(0x5678);
      } while (device.reconnects() == 0 && System.nanoTime() - start < LIMIT_NANOS);
      assertThat(device.reconnects()).isPositive();
      assertThat(registers.read32(0)).isZero();
      assertThat(buffer.iova()).isNotNegative();
      // The fault may end the new connection, too, with a signal on its way.
      long signals = 0;
      for (int i = 0; i < 20 && signals == 0; i++) {
        restarted.signal(1);
        signals = vectors.vector(1).await(Duration.ofSeconds(1));
      }
      assertThat(signals).isPositive();
    } catch (VfioException e) {
      assertThat(e.getMessage()).endsWith(".");
      if (!fault.isNamedIn(e.getMessage())) {
        heard.await(fault::isNamedIn, e.getMessage()); // a call that may have been done or not
      }
    }
    before.awaitAgain(fault.toString());
    return kernel.calls().subList(begun, kernel.calls().size());
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.VfioException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.sim.FaultInjector;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every system call that a server makes, made to fail, one at a time, with each errno that Linux
 * could give there: nothing is left behind, somebody is told why, and the next client is served.
 */
@Timeout(600)
class ServerFaultTest {
  private static final VfioUserOptions CLIENT =
      VfioUserOptions.defaults().withRequestTimeout(Duration.ofSeconds(20));

  /**
   * The fault may come while the second one is served; a call of its number may not come at all.
   */
  private static final int MOST_CLIENTS = 3;

  @TempDir Path directory;

  private final Heard heard = new Heard();
  private int runs;

  @AfterEach
  void close() {
    heard.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theNextClientIsServedWhateverCallFails(boolean twin) throws Exception {
    var calls = run(Fault.NONE, twin);
    assertThat(calls).hasSizeGreaterThan(100);
    Fault.runAll(calls, twin, fault -> run(fault, twin));
  }

  private VfioUserServerOptions options(Path path, boolean twin) {
    var options =
        VfioUserServerOptions.at(path).withPatience(Duration.ofSeconds(20)).withListener(heard);
    return twin ? options : options.withoutTwinSocket();
  }

  /** A server, clients until one has come when nothing failed any more, and its end. */
  private List<FaultInjector.Call> run(Fault fault, boolean twin) throws Exception {
    heard.forget();
    var path = directory.resolve("s" + runs++);
    var before = Holdings.settled();
    // A server that has ended left that.
    UnixSocket.listen(LinuxKernel.instance(), path.toString(), 0600).close();
    var kernel = new FaultInjector(LinuxKernel.instance());
    fault.arm(kernel);
    try (var _ = VfioUserServer.serve(kernel, new VictimModel(), options(path, twin))) {
      boolean isServed = false;
      for (int i = 0; i < MOST_CLIENTS && !isServed; i++) {
        boolean isOver = fault.equals(Fault.NONE) || isInjected(kernel);
        try (var device = VfioUser.open(path, CLIENT)) {
          VictimUser.use(device);
          isServed = isOver;
        } catch (VfioException e) {
          assertThat(isOver).as("%s, and then: %s", fault, e.getMessage()).isFalse();
          assertTold(fault, e);
        }
      }
    } catch (VfioException e) {
      assertThat(e.getMessage()).endsWith(".").matches(fault::isNamedIn, fault.toString());
      before.awaitAgain(fault.toString());
      try (var _ = VfioUserServer.serve(new VictimModel(), options(path, twin));
          var device = VfioUser.open(path, CLIENT)) {
        VictimUser.use(device);
      }
    }
    before.awaitAgain(fault.toString());
    assertThat(path).doesNotExist();
    return kernel.calls();
  }

  private static boolean isInjected(FaultInjector kernel) {
    return kernel.calls().stream().anyMatch(call -> call.injected() != null);
  }

  /** The client is told, or the operator: perhaps a moment later, by another thread. */
  private void assertTold(Fault fault, VfioException failure) throws InterruptedException {
    if (!fault.isNamedIn(failure.getMessage())) {
      heard.await(fault::isNamedIn, "%s, and then: %s".formatted(fault, failure.getMessage()));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.VfioException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.user.peer.PeerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Looks whether a server keeps to the specification of vfio-user: any server, of whatever make.
 *
 * <p>Each check has connections of its own, one after the other, so the server must not be in use.
 * A server that ends with a connection is waited for, since a supervisor may start it again.
 * Nothing is written to BARs unless that is asked for; the device is reset, and its migration state
 * is moved and brought back, if it has any.
 */
public final class Conformance {
  private final Path server;
  private final ConformanceOptions options;

  private Conformance(Path server, ConformanceOptions options) {
    this.server = server;
    this.options = options;
  }

  /** A run against the server at a socket. */
  public static Conformance of(Path server, ConformanceOptions options) {
    return new Conformance(server, options);
  }

  /** The names of all checks, in their order. */
  public static List<String> checkNames() {
    return checks().map(ConformanceCheck::name).toList();
  }

  private static Stream<ConformanceCheck> checks() {
    return Stream.of(
            VersionChecks.all(),
            HeaderChecks.all(),
            InfoChecks.all(),
            RegionChecks.all(),
            ConfigChecks.all(),
            IrqChecks.all(),
            DmaChecks.all(),
            FeatureChecks.all(),
            ConnectionChecks.all())
        .flatMap(List::stream);
  }

  /**
   * Makes the checks.
   *
   * @param progress gets each result as soon as it is there
   * @throws VfioException if there is no server to begin with
   */
  public ConformanceReport run(Consumer<ConformanceResult> progress) {
    var run = new ConformanceRun(LinuxKernel.instance(), server.toString(), options);
    try {
      run.ask();
    } catch (PeerException e) {
      if (run.wasDown()) {
        throw new VfioException(
            "connect",
            server.toString(),
            null,
            "The server " + e.getMessage() + ".",
            "Start a server that listens there.");
      }
      // One that does not answer is told so by the checks.
    } catch (Verdict e) {
      // as above
    } finally {
      run.closePeers();
    }
    var results = new ArrayList<ConformanceResult>();
    boolean isThere = true;
    for (var check : checks().filter(this::isWanted).toList()) {
      var result = isThere ? result(run, check) : result(check, gone());
      isThere = isThere && !isGone(result);
      results.add(result);
      progress.accept(result);
    }
    var hello = run.told();
    return new ConformanceReport(
        server.toString(),
        hello.map(told -> told.major() + "." + told.minor()).orElse(""),
        hello.map(ConformanceRun.Hello::json).orElse(""),
        run.endsWithClients(),
        results);
  }

  private boolean isWanted(ConformanceCheck check) {
    return options.only().isEmpty()
        || options.only().stream().anyMatch(name -> check.name().startsWith(name));
  }

  private static final String GONE = "the server ended, and is not there again";
  private static final String BUSY = "then no connection is taken any more";

  private static Verdict gone() {
    return Verdict.skipped("the server is not there any more");
  }

  private static boolean isGone(ConformanceResult result) {
    return result.came().endsWith(GONE) || result.came().endsWith(BUSY);
  }

  private static ConformanceResult result(ConformanceCheck check, Verdict verdict) {
    return new ConformanceResult(
        check.name(),
        check.title(),
        check.section(),
        verdict.outcome(),
        check.expected(),
        verdict.came());
  }

  private static ConformanceResult result(ConformanceRun run, ConformanceCheck check) {
    var outcome = ConformanceResult.Outcome.PASSED;
    String came;
    run.wasDown();
    try {
      came = check.body().run(run);
    } catch (Verdict verdict) {
      outcome = verdict.outcome();
      came = verdict.came();
    } catch (PeerException e) {
      outcome = ConformanceResult.Outcome.FAILED;
      came = e.getMessage();
    } finally {
      run.closePeers();
    }
    // What a check does may end the server only after it.
    var after = run.isThere();
    if (after == ConformanceRun.After.GONE) {
      outcome = ConformanceResult.Outcome.FAILED;
      came += ", and " + GONE;
    } else if (after == ConformanceRun.After.BUSY) {
      outcome = ConformanceResult.Outcome.FAILED;
      came += ", and " + BUSY;
    } else if (after == ConformanceRun.After.SILENT) {
      outcome = ConformanceResult.Outcome.FAILED;
      came += ", and then no connection is answered any more";
    } else if (after == ConformanceRun.After.RESTARTED && !run.endsWithClients()) {
      if (outcome == ConformanceResult.Outcome.PASSED) {
        outcome = ConformanceResult.Outcome.DIFFERS;
      }
      came += ", and the server ended and was started again";
    }
    return new ConformanceResult(
        check.name(), check.title(), check.section(), outcome, check.expected(), came);
  }

  @Override
  public String toString() {
    return "checks of the server at " + server;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** A server's command at work, in a thread of its own. */
final class RunningServer implements AutoCloseable {
  private final ExecutorService executor = Executors.newSingleThreadExecutor();
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private final Future<Integer> status;

  /** Starts it, and waits until it listens. */
  RunningServer(InputStream input, String... args) throws InterruptedException {
    status =
        executor.submit(
            () ->
                Main.run(
                    HostOpener.STANDARD, input, new PrintWriter(out), new PrintWriter(err), args));
    long start = System.nanoTime();
    while (!err.toString().contains("jvfio: serving")
        && !status.isDone()
        && System.nanoTime() - start < TimeUnit.MINUTES.toNanos(1)) {
      Thread.sleep(5);
    }
    assertThat(err.toString()).contains("jvfio: serving");
  }

  RunningServer(String... args) throws InterruptedException {
    this(InputStream.nullInputStream(), args);
  }

  /** Waits until it has ended. */
  CommandRun end() throws Exception {
    return new CommandRun(status.get(1, TimeUnit.MINUTES), out.toString(), err.toString());
  }

  @Override
  public void close() {
    executor.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A server of a {@link ScriptedModel}, and what a test wants to know of both. */
public final class Served implements AutoCloseable {
  /** What nobody may take to stop, whatever its client does. */
  static final Duration STOP = Duration.ofSeconds(2);

  private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(30);

  final ScriptedModel model;
  public final Path path;
  final VfioUserServer server;

  /** Why clients have gone. */
  final List<String> left = new CopyOnWriteArrayList<>();

  public Served(ScriptedModel model, Path directory, UnaryOperator<VfioUserServerOptions> options) {
    this.model = model;
    path = directory.resolve("device.sock");
    server =
        VfioUserServer.serve(
            model,
            options.apply(
                VfioUserServerOptions.at(path)
                    .withListener(
                        new VfioUserServerListener() {
                          @Override
                          public void clientLeft(String reason, long messages) {
                            left.add(reason);
                          }
                        })));
  }

  public Served(ScriptedModel model, Path directory) {
    this(model, directory, options -> options);
  }

  public RawClient client() throws Exception {
    return RawClient.agreed(path);
  }

  /** A client whose device is a bus master. */
  RawClient master() throws Exception {
    var client = client();
    assertThat(client.write(RawClient.CONFIG, 4, 2, 4)).isZero();
    return client;
  }

  /** Waits until so many clients have gone; why the last one has. */
  public String awaitLeft(int count) throws InterruptedException {
    await(() -> left.size() >= count);
    return left.get(count - 1);
  }

  /** Something that comes true at some time. */
  interface Condition {
    boolean holds() throws InterruptedException;
  }

  static void await(Condition condition) throws InterruptedException {
    long start = System.nanoTime();
    while (!condition.holds()) {
      assertThat(System.nanoTime() - start).as("it takes too long").isLessThan(LIMIT_NANOS);
      Thread.sleep(1);
    }
  }

  /** Closes the server, which must not take long. */
  public void stop() {
    long start = System.nanoTime();
    server.close();
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(STOP);
    assertThat(path).doesNotExist();
  }

  @Override
  public void close() {
    server.close();
  }
}

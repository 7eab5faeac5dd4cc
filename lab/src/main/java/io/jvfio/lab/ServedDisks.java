// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.user.VfioUserServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.concurrent.CountDownLatch;

/**
 * {@code ServedDisks SERIAL IMAGE SOCKET …}: serves several NVMe controllers from one process, each
 * on a file and at a socket of its own, until it gets SIGTERM.
 */
public final class ServedDisks {
  private static final int EACH = 3;

  private ServedDisks() {}

  /** The program. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    if (arguments.length == 0 || arguments.length % EACH != 0) {
      System.err.println("usage: ServedDisks SERIAL IMAGE SOCKET ...");
      System.exit(2);
    }
    var servers = new ArrayList<VfioUserServer>();
    var ended = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  servers.forEach(VfioUserServer::close);
                  ended.countDown();
                }));
    for (int i = 0; i < arguments.length; i += EACH) {
      var namespace = NvmeNamespaceOptions.inFile(Path.of(arguments[i + 1]));
      var model = NvmeModel.of(NvmeModelOptions.of(arguments[i], namespace));
      servers.add(VfioUserServer.serve(model, Path.of(arguments[i + 2])));
    }
    System.err.printf("jvfio: serving %d disks%n", servers.size());
    ended.await();
  }
}

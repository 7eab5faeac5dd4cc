// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.user.VfioUserServer;
import io.jvfio.user.VfioUserServerOptions;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * {@code FaultyServer SOCKET FILE BYTES BLOCK_SIZE RING ONE_IN SEED}: serves an NVMe controller on
 * a file whose system calls fail now and then. Standard input tells it what else goes wrong: {@code
 * break-sync}, {@code tear}; {@code memory} has it tell what it uses, {@code memory now} also while
 * compilers work; its end is the server's.
 */
public final class FaultyServer {
  private FaultyServer() {}

  /**
   * What starts it.
   *
   * @param options those of the JVM
   * @param oneIn how many calls there are for each that fails; none fails if it is 0
   */
  static List<String> command(
      List<String> options,
      Path socket,
      Path file,
      long byteSize,
      int blockSize,
      boolean usesRing,
      int oneIn,
      long seed) {
    return Programs.lab(
        FaultyServer.class,
        options,
        List.of(
            socket.toString(),
            file.toString(),
            Long.toString(byteSize),
            Integer.toString(blockSize),
            Boolean.toString(usesRing),
            Integer.toString(oneIn),
            Long.toString(seed)));
  }

  /** The program. */
  public static void main(String[] arguments) throws Exception {
    var socket = Path.of(arguments[0]);
    var namespace =
        NvmeNamespaceOptions.inFile(Path.of(arguments[1]), Long.parseLong(arguments[2]))
            .withBlockSize(Integer.parseInt(arguments[3]));
    var kernel =
        new FaultyKernel(
            LinuxKernel.instance(), Integer.parseInt(arguments[5]), Long.parseLong(arguments[6]));
    var options = NvmeModelOptions.of("faulty", namespace).withKernel(kernel);
    options = Boolean.parseBoolean(arguments[4]) ? options : options.withoutRing();
    try {
      serve(options, socket, kernel);
    } catch (UncheckedIOException e) {
      say("its end says: " + e.getMessage()); // the disk is broken, and nobody may think otherwise
    }
    say("faults " + kernel.faults());
    say("ended in order");
  }

  private static void serve(NvmeModelOptions options, Path socket, FaultyKernel kernel)
      throws Exception {
    try (var model = NvmeModel.of(options);
        var _ = VfioUserServer.serve(model, VfioUserServerOptions.at(socket));
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      say("jvfio: serving " + String.join("; ", model.storage()));
      for (var line = input.readLine(); line != null; line = input.readLine()) {
        var answer = "";
        if (line.equals("break-sync")) {
          kernel.breakSync();
        } else if (line.equals("tear")) {
          kernel.tear();
        } else if (line.startsWith("memory")) {
          answer = ": " + JvmMemory.now(line.equals("memory"));
        }
        say("done: " + line + answer);
      }
    }
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}

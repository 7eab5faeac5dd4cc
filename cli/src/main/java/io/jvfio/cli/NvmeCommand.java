// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.cli.option.ByteSize;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Progress;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.cli.output.Text;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.user.VfioUserOptions;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code jvfio nvme}: the driver at work. */
@Command(
    name = "nvme",
    description = "Drive an NVMe controller.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      NvmeCommand.Identify.class,
      NvmeSmart.class,
      NvmeCommand.Read.class,
      NvmeCommand.Write.class,
      NvmeCommand.Verify.class,
      NvmeBench.class
    })
final class NvmeCommand implements Runnable {
  private static final long CHUNK = 1 << 20;

  @ParentCommand @Nullable Main main;
  @Spec @Nullable CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        Objects.requireNonNull(spec).commandLine(),
        "a command is missing: identify, smart, read, write, verify or bench");
  }

  /** What all commands share: the device, and how its IOMMU is chosen. */
  abstract static class OnController implements Runnable {
    @ParentCommand @Nullable NvmeCommand nvme;
    @Mixin PolicyOptions policy = new PolicyOptions();

    @Parameters(
        paramLabel = "DEVICE",
        description = "The controller. " + DeviceName.DESCRIPTION,
        converter = DeviceName.Converter.class)
    @Nullable DeviceName name;

    /** The command that this is a part of. */
    Main main() {
      return Objects.requireNonNull(Objects.requireNonNull(nvme).main);
    }

    @Override
    public void run() {
      var command = main();
      try (var opened = command.openDevice(Objects.requireNonNull(name), policy, connection());
          var controller = NvmeController.open(opened.device(), options())) {
        run(command.output(), opened.host(), opened.device(), controller);
      }
    }

    /** How a controller behind a socket is reached. */
    VfioUserOptions connection() {
      return VfioUserOptions.defaults();
    }

    /** How the controller is driven. */
    NvmeOptions options() {
      return NvmeOptions.defaults();
    }

    abstract void run(Output output, String host, VfioDevice device, NvmeController controller);
  }

  /** A command that works on blocks of a namespace. */
  abstract static class OnBlocks extends OnController {
    @Option(names = "--namespace", paramLabel = "ID", description = "The namespace; 1 by default.")
    int namespaceId = 1;

    @Option(names = "--block", paramLabel = "LBA", description = "The first block; 0 by default.")
    long firstBlock;

    @Override
    void run(Output output, String host, VfioDevice device, NvmeController controller) {
      run(output, host, device, controller, controller.namespace(namespaceId));
    }

    abstract void run(
        Output output,
        String host,
        VfioDevice device,
        NvmeController controller,
        NvmeNamespace namespace);
  }

  /** What every JSON document of this command starts with. */
  static Map<String, Object> json(String host, VfioDevice device, NvmeController controller) {
    var identity = controller.identify();
    return Json.object(
        "host", host,
        "device", device.name(),
        "iommu", device.dmaSpace().type().id(),
        "controller",
            Json.object(
                "model", identity.model(),
                "serial", identity.serial(),
                "firmware", identity.firmware()));
  }

  static String title(VfioDevice device, NvmeController controller) {
    var identity = controller.identify();
    return "%s  %s, serial %s, firmware %s, IOMMU %s"
        .formatted(
            device.name(),
            identity.model(),
            identity.serial(),
            identity.firmware(),
            device.dmaSpace().type());
  }

  /** {@code jvfio nvme identify}. */
  @Command(
      name = "identify",
      description = "Show the controller and its namespaces.",
      mixinStandardHelpOptions = true)
  static final class Identify extends OnController {
    @Override
    void run(Output output, String host, VfioDevice device, NvmeController controller) {
      var namespaces = controller.namespaces();
      if (output.isJson()) {
        var document = json(host, device, controller);
        var all = namespaces.stream().map(id -> describe(controller, id)).toList();
        // The first by itself, for those who know of one only.
        document.put("namespace", all.isEmpty() ? Optional.empty() : all.getFirst());
        document.put("namespaces", all);
        output.json(document);
        return;
      }
      output.line(title(device, controller));
      if (namespaces.isEmpty()) {
        output.line("It has no active namespace.");
      }
      for (int id : namespaces) {
        output.line("namespace %d: %s".formatted(id, line(controller, id)));
      }
    }

    /** One namespace that this driver cannot drive hides none of the others. */
    private static String line(NvmeController controller, int id) {
      try {
        var namespace = controller.namespace(id);
        return "%s in %,d blocks of %d bytes"
            .formatted(
                Text.bytes(namespace.byteSize()), namespace.blockCount(), namespace.blockSize());
      } catch (VfioException e) {
        return e.getMessage();
      }
    }

    private static Map<String, Object> describe(NvmeController controller, int id) {
      try {
        var namespace = controller.namespace(id);
        return Json.object(
            "id", id,
            "blockSize", namespace.blockSize(),
            "blocks", namespace.blockCount(),
            "bytes", namespace.byteSize());
      } catch (VfioException e) {
        return Json.object("id", id, "refused", e.getMessage());
      }
    }
  }

  /** {@code jvfio nvme read}. */
  @Command(name = "read", description = "Read blocks into a file.", mixinStandardHelpOptions = true)
  static final class Read extends OnBlocks {
    @Option(names = "--blocks", paramLabel = "N", description = "How many blocks; 1 by default.")
    long blocks = 1;

    @Option(
        names = "--output",
        paramLabel = "FILE",
        required = true,
        description = "Where the data go; - for standard output.")
    @Nullable Path file;

    @Spec @Nullable CommandSpec spec;

    private boolean isPiped() {
      return StandardOutput.isMeantBy(Objects.requireNonNull(file));
    }

    @Override
    public void run() {
      if (isPiped() && main().output().isJson()) {
        throw new ParameterException(
            Objects.requireNonNull(spec).commandLine(),
            "--json and data exclude each other on standard output");
      }
      super.run();
    }

    @Override
    void run(
        Output output,
        String host,
        VfioDevice device,
        NvmeController controller,
        NvmeNamespace namespace) {
      requireRange(namespace, firstBlock, blocks);
      var target = Objects.requireNonNull(file);
      long perChunk = CHUNK / namespace.blockSize();
      try (var buffer = device.dmaSpace().allocate(CHUNK);
          OutputStream to = isPiped() ? main().binaryOutput() : Files.newOutputStream(target)) {
        for (long done = 0; done < blocks; done += perChunk) {
          int count = (int) Math.min(perChunk, blocks - done);
          namespace.read(firstBlock + done, count, buffer, 0);
          to.write(
              buffer
                  .segment()
                  .asSlice(0, (long) count * namespace.blockSize())
                  .toArray(ValueLayout.JAVA_BYTE));
        }
      } catch (IOException e) {
        throw new CommandFailure(
            "writing %s failed".formatted(isPiped() ? StandardOutput.NAME : target), e);
      }
      report(
          isPiped() ? output.amongMessages() : output,
          host,
          device,
          controller,
          "bytesRead",
          blocks * namespace.blockSize());
    }
  }

  /** {@code jvfio nvme write}. */
  @Command(
      name = "write",
      description = "Write a file to blocks; the last one is filled up with zeros.",
      mixinStandardHelpOptions = true)
  static final class Write extends OnBlocks {
    @Option(
        names = "--input",
        paramLabel = "FILE",
        required = true,
        description = "Where the data come from.")
    @Nullable Path file;

    @Override
    void run(
        Output output,
        String host,
        VfioDevice device,
        NvmeController controller,
        NvmeNamespace namespace) {
      var source = Objects.requireNonNull(file);
      int blockSize = namespace.blockSize();
      long written = 0;
      try (var buffer = device.dmaSpace().allocate(CHUNK);
          InputStream from = Files.newInputStream(source)) {
        requireRange(namespace, firstBlock, Math.ceilDiv(Files.size(source), (long) blockSize));
        for (byte[] data = from.readNBytes((int) CHUNK);
            data.length > 0;
            data = from.readNBytes((int) CHUNK)) {
          int blocks = Math.ceilDiv(data.length, blockSize);
          buffer.segment().asSlice(0, (long) blocks * blockSize).fill((byte) 0);
          MemorySegment.copy(data, 0, buffer.segment(), ValueLayout.JAVA_BYTE, 0, data.length);
          namespace.write(firstBlock + written / blockSize, blocks, buffer, 0);
          written += (long) blocks * blockSize;
        }
        namespace.flush();
      } catch (IOException e) {
        throw new CommandFailure("reading " + source + " failed", e);
      }
      report(output, host, device, controller, "bytesWritten", written);
    }
  }

  private static void requireRange(NvmeNamespace namespace, long firstBlock, long blocks) {
    if (firstBlock < 0 || blocks < 1 || blocks > namespace.blockCount() - firstBlock) {
      throw new CommandFailure(
          "%d blocks from block %d are not within the namespace, which has %d blocks"
              .formatted(blocks, firstBlock, namespace.blockCount()));
    }
  }

  private static void report(
      Output output,
      String host,
      VfioDevice device,
      NvmeController controller,
      String member,
      long byteSize) {
    if (output.isJson()) {
      var document = json(host, device, controller);
      document.put(member, byteSize);
      output.json(document);
    } else {
      output.line(title(device, controller));
      output.line((member.equals("bytesRead") ? "read " : "written ") + Text.bytes(byteSize));
    }
  }

  /** {@code jvfio nvme verify}. */
  @Command(
      name = "verify",
      description = {
        "Write random data, read them back, compare.",
        "Blocks that hold data are left alone unless --overwrite is given."
      },
      mixinStandardHelpOptions = true)
  static final class Verify extends OnBlocks {
    @Option(
        names = "--size",
        paramLabel = "SIZE",
        description = "How much; 64MiB by default.",
        converter = ByteSize.class)
    long byteSize = 64 << 20;

    @Option(
        names = "--seed",
        paramLabel = "N",
        description = "Start of the random sequence; told when none is given.")
    @Nullable Long seed;

    @Option(names = "--overwrite", description = "Destroy what the blocks hold.")
    boolean overwrite;

    @Override
    void run(
        Output output,
        String host,
        VfioDevice device,
        NvmeController controller,
        NvmeNamespace namespace) {
      long start = seed == null ? new SplittableRandom().nextLong() : seed;
      var trip = new RoundTrip(namespace, firstBlock, byteSize, start);
      if (!overwrite && !trip.isBlank(device.dmaSpace(), _ -> {})) {
        throw new CommandFailure(
            "the blocks of %s hold data, which verify would destroy; choose others with --block, or give --overwrite"
                .formatted(device.name()));
      }
      RoundTrip.Result result;
      try (var progress = new Progress(output, "verifying", 2 * byteSize)) {
        result = trip.run(device.dmaSpace(), progress::at);
      }
      if (output.isJson()) {
        var document = json(host, device, controller);
        document.put("bytesVerified", byteSize);
        document.put("seed", start);
        document.put("writeNanos", result.writeNanos());
        document.put("readNanos", result.readNanos());
        output.json(document);
        return;
      }
      output.line(title(device, controller));
      output.line(
          "%s written at %s, read back at %s, and verified (seed %d)"
              .formatted(
                  Text.bytes(byteSize),
                  Text.rate(byteSize, result.writeNanos()),
                  Text.rate(byteSize, result.readNanos()),
                  start));
    }
  }
}

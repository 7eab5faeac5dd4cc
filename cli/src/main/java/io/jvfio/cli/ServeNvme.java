// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.option.ByteSize;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code jvfio serve nvme}. */
@Command(
    name = "nvme",
    description = {
      "Serve an NVMe controller.",
      "Each --file is a namespace, and so are --memory and --null; there must be one at least."
    },
    mixinStandardHelpOptions = true)
final class ServeNvme extends ServeCommand.Served<NvmeModel> {
  @Option(
      names = "--file",
      paramLabel = "FILE",
      description = "A namespace in a file, whose size is the file's.")
  List<Path> files = List.of();

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      description = "The size of files that do not exist yet, or are empty.",
      converter = ByteSize.class)
  @Nullable Long size;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      description = "A namespace in memory, which is gone when the command ends.",
      converter = ByteSize.class)
  @Nullable Long memory;

  @Option(
      names = "--null",
      paramLabel = "SIZE",
      description =
          "A namespace that keeps nothing, for measuring: writes are forgotten, and reads leave"
              + " memory as it was.",
      converter = ByteSize.class)
  @Nullable Long nothing;

  @Option(
      names = "--read-only",
      description = "Open files for reading only; commands that would change data are refused.")
  boolean isReadOnly;

  @Option(names = "--direct", description = "Leave out the page cache of files (O_DIRECT).")
  boolean isDirect;

  @Option(
      names = "--on-full",
      paramLabel = "report|stop",
      description = {
        "What becomes of a command for whose data the file system has no room:",
        "it fails with Capacity Exceeded (report, the default), or waits for room (stop)."
      })
  OnFull onFull = OnFull.report;

  @Option(
      names = "--iops",
      paramLabel = "N",
      description = "At most so many commands a second, for each namespace.")
  @Nullable Long requestsPerSecond;

  @Option(
      names = "--bandwidth",
      paramLabel = "SIZE",
      description = "Read and write at most so much a second, for each namespace.",
      converter = ByteSize.class)
  @Nullable Long bytesPerSecond;

  @Option(
      names = "--io",
      paramLabel = "auto|threads",
      description = {
        "How system calls for files are made: by io_uring where the kernel lets it (auto, the"
            + " default), or by threads."
      })
  FileCalls fileCalls = FileCalls.auto;

  @Option(
      names = "--lba",
      paramLabel = "BYTES",
      description = "The size of a logical block: 512, the default, or 4096.")
  int blockSize = 512;

  @Option(
      names = "--serial",
      paramLabel = "TEXT",
      description = "The serial number; jvfio0 by default.")
  String serial = "jvfio0";

  @Option(
      names = "--queues",
      paramLabel = "N",
      description = "How many pairs of I/O queues there are; 64 by default.")
  int queues = 64;

  @Option(
      names = "--msi",
      description = {
        "Interrupts by MSI, with 32 vectors at most, and not by MSI-X:",
        "for a disk that is to be unplugged, since QEMU up to 11.1 aborts over MSI-X then."
      })
  boolean hasMsi;

  /** What {@code --on-full} takes. */
  enum OnFull {
    report,
    stop
  }

  /** What {@code --io} takes. */
  enum FileCalls {
    auto,
    threads
  }

  @Override
  NvmeModel model() {
    NvmeModelOptions options;
    try {
      options = options(namespaces());
    } catch (IllegalArgumentException e) {
      throw wrong(String.valueOf(e.getMessage()));
    }
    try {
      return NvmeModel.of(poll ? options.withPolling() : options);
    } catch (UncheckedIOException e) {
      throw new CommandFailure("a namespace cannot be opened", e);
    }
  }

  private NvmeModelOptions options(List<NvmeNamespaceOptions> namespaces) {
    if (namespaces.isEmpty()) {
      throw wrong("a namespace is missing: --file FILE, --memory SIZE or --null SIZE");
    }
    var options = NvmeModelOptions.of(serial, namespaces.getFirst()).withQueuePairs(queues);
    options = hasMsi ? options.withMsi() : options;
    for (var more : namespaces.subList(1, namespaces.size())) {
      options = options.withNamespace(more);
    }
    return fileCalls == FileCalls.threads ? options.withoutRing() : options;
  }

  private List<NvmeNamespaceOptions> namespaces() {
    if (blockSize != 512 && blockSize != 4096) {
      throw wrong("logical blocks have 512 or 4096 bytes, not " + blockSize);
    }
    var namespaces = new ArrayList<NvmeNamespaceOptions>();
    for (var file : files) {
      var namespace = NvmeNamespaceOptions.inFile(file, sizeOf(file));
      namespace = isDirect ? namespace.withDirectIo() : namespace;
      namespaces.add(onFull == OnFull.stop ? namespace.withWaitingForRoom() : namespace);
    }
    if (memory != null) {
      namespaces.add(NvmeNamespaceOptions.inMemory(memory));
    }
    if (nothing != null) {
      namespaces.add(NvmeNamespaceOptions.nowhere(nothing));
    }
    namespaces.replaceAll(this::limited);
    return namespaces;
  }

  /** What goes for namespaces of every kind. */
  private NvmeNamespaceOptions limited(NvmeNamespaceOptions namespace) {
    var limited = namespace.withBlockSize(blockSize);
    if (requestsPerSecond != null || bytesPerSecond != null) {
      limited =
          limited.withLimits(
              Objects.requireNonNullElse(requestsPerSecond, Long.MAX_VALUE),
              Objects.requireNonNullElse(bytesPerSecond, Long.MAX_VALUE));
    }
    return isReadOnly ? limited.withWriteProtection() : limited;
  }

  private long sizeOf(Path file) {
    long present;
    try {
      present = presentSize(file);
    } catch (IOException e) {
      throw new CommandFailure("the size of " + file + " cannot be read", e);
    }
    if (present > 0) {
      if (present % blockSize != 0) {
        throw new CommandFailure(
            "%s has %,d bytes, which is no multiple of its blocks of %d"
                .formatted(file, present, blockSize));
      }
      return present;
    }
    if (isReadOnly) {
      throw new CommandFailure(file + " does not exist or is empty, and would have to be written");
    }
    if (size == null) {
      throw wrong(file + " does not exist or is empty; --size says how large it shall be");
    }
    return size;
  }

  /** The size of a file or a block device; 0 if there is none. */
  private static long presentSize(Path file) throws IOException {
    if (!Files.exists(file)) {
      return 0;
    }
    try (var channel = FileChannel.open(file)) {
      return channel.size();
    }
  }

  @Override
  String describe(NvmeModel model) {
    return "an NVMe controller of serial %s on %s"
        .formatted(serial, String.join("; ", model.storage()));
  }
}

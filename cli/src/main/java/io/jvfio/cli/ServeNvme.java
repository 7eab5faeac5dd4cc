package io.jvfio.cli;

import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code jvfio serve nvme}. */
@Command(
    name = "nvme",
    description = {
      "Serve an NVMe controller.",
      "Each --file is a namespace, and --memory is one more; there must be one at least."
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
      throw wrong("a namespace is missing: --file FILE or --memory SIZE");
    }
    var options = NvmeModelOptions.of(serial, namespaces.getFirst()).withQueuePairs(queues);
    for (var more : namespaces.subList(1, namespaces.size())) {
      options = options.withNamespace(more);
    }
    return options;
  }

  private List<NvmeNamespaceOptions> namespaces() {
    if (blockSize != 512 && blockSize != 4096) {
      throw wrong("logical blocks have 512 or 4096 bytes, not " + blockSize);
    }
    var namespaces = new ArrayList<NvmeNamespaceOptions>();
    for (var file : files) {
      namespaces.add(NvmeNamespaceOptions.inFile(file, sizeOf(file)).withBlockSize(blockSize));
    }
    if (memory != null) {
      namespaces.add(NvmeNamespaceOptions.inMemory(memory).withBlockSize(blockSize));
    }
    return namespaces;
  }

  private long sizeOf(Path file) {
    long present;
    try {
      present = Files.exists(file) ? Files.size(file) : 0;
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
    if (size == null) {
      throw wrong(file + " does not exist or is empty; --size says how large it shall be");
    }
    return size;
  }

  @Override
  String describe(NvmeModel model) {
    return "an NVMe controller of serial " + serial;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import module io.jvfio.nvme;
import module io.jvfio.sim;

import de.waldheinz.fs.FileSystemFactory;
import de.waldheinz.fs.FsDirectory;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * {@code ListsFiles local|sim:NAME [IMAGE]}: lists the FAT file system on the first NVMe device,
 * after putting the one in the file IMAGE there, by a library that knows nothing of VFIO.
 */
final class ListsFiles {
  static void main(String[] arguments) throws IOException {
    var name = arguments[0];
    var simulated = name.startsWith("sim:") ? SimulatedHosts.open(name.substring(4)) : null;
    var host = simulated == null ? VfioHost.local() : VfioHost.of(name, simulated.kernel());
    var nvme = host.devices().stream().filter(one -> one.isBoundToVfio()).findFirst().orElseThrow();
    try (var device = host.open(nvme.address());
        var controller = NvmeController.open(device);
        var disk =
            controller
                .namespace(1)
                .openChannel(StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      if (arguments.length > 1) {
        try (var image = FileChannel.open(Path.of(arguments[1]))) {
          image.transferTo(0, image.size(), disk);
        }
      }
      list("", FileSystemFactory.create(new ChannelDisk(disk, true), true).getRoot());
    }
  }

  private static void list(String path, FsDirectory directory) throws IOException {
    for (var entry : directory) {
      if (entry.isFile()) {
        System.out.printf("%,12d %s%n", entry.getFile().getLength(), path + entry.getName());
      } else if (!entry.getName().matches("\\.\\.?")) {
        list(path + entry.getName() + "/", entry.getDirectory());
      }
    }
  }
}

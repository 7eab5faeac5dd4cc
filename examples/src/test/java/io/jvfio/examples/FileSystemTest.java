// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import de.waldheinz.fs.BlockDevice;
import de.waldheinz.fs.FileSystemFactory;
import de.waldheinz.fs.FsDirectory;
import de.waldheinz.fs.FsFile;
import de.waldheinz.fs.util.RamDisk;
import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.archivers.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Libraries that know nothing of VFIO read and write what is on a namespace. */
class FileSystemTest {
  private static final long DISK_BYTES = 24 << 20;

  /** A zeroed disk of a simulated host. */
  private record Disk(SimulatedHost host, VfioDevice device, NvmeController controller)
      implements AutoCloseable {
    static Disk open(int blockSize) {
      var options =
          HostOptions.defaults().withModels(_ -> NvmeModel.inMemory("disk", DISK_BYTES, blockSize));
      var host = SimulatedHosts.open("x86-6.12", options);
      var device = VfioHost.of(host.name(), host.kernel()).open(PciAddress.parse("0000:00:01.0"));
      return new Disk(host, device, NvmeController.open(device));
    }

    NvmeNamespace namespace() {
      return controller.namespace(1);
    }

    @Override
    public void close() {
      controller.close();
      device.close();
      host.close();
    }
  }

  private static InputStream resource(String name) {
    return Objects.requireNonNull(FileSystemTest.class.getResourceAsStream(name), name);
  }

  /** What {@code mkfs.vfat} and {@code mcopy} made: see the script beside it. */
  private static byte[] image() throws IOException {
    try (var in = new GZIPInputStream(resource("fat.img.gz"))) {
      return in.readAllBytes();
    }
  }

  /** The checksum of each file by its path, as {@code sha256sum} told. */
  private static Map<String, String> checksums() throws IOException {
    try (var in = resource("fat.sha256")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .map(line -> line.split("  ", 2))
          .collect(Collectors.toMap(parts -> parts[1], parts -> parts[0]));
    }
  }

  private static Map<String, String> files(BlockDevice disk)
      throws IOException, NoSuchAlgorithmException {
    Map<String, String> found = new TreeMap<>();
    addFiles("", FileSystemFactory.create(disk, true).getRoot(), found);
    return found;
  }

  private static void addFiles(String path, FsDirectory directory, Map<String, String> found)
      throws IOException, NoSuchAlgorithmException {
    for (var entry : directory) {
      if (entry.isFile()) {
        found.put(path + entry.getName(), checksum(content(entry.getFile())));
      } else if (!entry.getName().equals(".") && !entry.getName().equals("..")) {
        addFiles(path + entry.getName() + "/", entry.getDirectory(), found);
      }
    }
  }

  private static byte[] content(FsFile file) throws IOException {
    var content = ByteBuffer.allocate((int) file.getLength());
    if (content.hasRemaining()) {
      file.read(0, content);
    }
    return content.array();
  }

  private static String checksum(byte[] content) throws NoSuchAlgorithmException {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void everyFileOfAFatImageIsThere(int blockSize) throws Exception {
    try (var disk = Disk.open(blockSize);
        var channel = disk.namespace().openChannel(READ, WRITE)) {
      channel.write(ByteBuffer.wrap(image()));

      assertThat(files(new ChannelDisk(channel, true)))
          .hasSizeGreaterThan(100)
          .containsExactlyInAnyOrderEntriesOf(checksums());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void aFileThatIsWrittenIsThereInTheRawBytes(int blockSize) throws Exception {
    var text = "written through a namespace\n".repeat(1000).getBytes(StandardCharsets.US_ASCII);
    var raw = ByteBuffer.allocate(16 << 20);
    try (var disk = Disk.open(blockSize);
        var channel = disk.namespace().openChannel(READ, WRITE)) {
      channel.write(ByteBuffer.wrap(image()));
      var system = FileSystemFactory.create(new ChannelDisk(channel, false), false);
      var directory = system.getRoot().addDirectory("a new directory").getDirectory();
      var file = directory.addFile("a new file").getFile();
      file.write(0, ByteBuffer.wrap(text));
      system.close();
      channel.read(raw, 0);
    }

    var expected = new TreeMap<>(checksums());
    expected.put("a new directory/a new file", checksum(text));
    var memory = new RamDisk(raw.capacity());
    memory.write(0, raw.flip());
    assertThat(files(memory)).isEqualTo(expected);
  }

  @Test
  void aZipFileIsReadWhereItLies() throws Exception {
    var texts = new TreeMap<String, String>();
    for (int i = 0; i < 20; i++) {
      texts.put("entry " + i, "text of entry %d\n".formatted(i).repeat(i * 100));
    }
    var archive = zip(texts);
    try (var disk = Disk.open(512);
        var channel = disk.namespace().openChannel(READ, WRITE)) {
      // What is in an archive is found from its end: so it lies at the end of the disk.
      channel.write(ByteBuffer.wrap(archive), DISK_BYTES - archive.length);
      try (var zip = ZipFile.builder().setSeekableByteChannel(channel).get()) {
        for (var text : texts.entrySet()) {
          try (var in = zip.getInputStream(zip.getEntry(text.getKey()))) {
            assertThat(in).hasContent(text.getValue());
          }
        }
      }
    }
  }

  private static byte[] zip(Map<String, String> texts) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (var zip = new ZipOutputStream(bytes)) {
      for (var text : texts.entrySet()) {
        zip.putNextEntry(new ZipEntry(text.getKey()));
        zip.write(text.getValue().getBytes(StandardCharsets.US_ASCII));
      }
    }
    return bytes.toByteArray();
  }
}

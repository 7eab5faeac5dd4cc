package io.jvfio.sim;

import io.jvfio.linux.Architecture;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What procfs says of the host and of its processes. */
final class ProcFiles {
  /** Descriptor of the group in a process that holds one; any will do. */
  private static final String HOLDER_FD = "17";

  private final Host host;

  ProcFiles(Host host) {
    this.host = host;
  }

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  void addTo(FileNode.Directory proc) {
    var options = host.options();
    proc.directory("sys/kernel").text("osrelease", host.description().release());
    boolean intelIommu =
        host.description().platform() instanceof IommuPlatform.Paging
            && host.description().architecture() == Architecture.X86_64;
    proc.text("cmdline", intelIommu ? "console=ttyS0 panic=-1 intel_iommu=on" : "panic=-1");
    proc.text("cpuinfo", "processor\t: 0" + platformLine());
    proc.link("self", Integer.toString(options.pid()));
    var self = proc.directory(Integer.toString(options.pid()));
    self.text("comm", "java");
    self.put("status", new Status(host));
    self.put("fd", new Descriptors(host.files()));
    self.put("pagemap", new Pagemap(host));
    for (var entry : options.holders().entrySet()) {
      var process = proc.directory(Integer.toString(entry.getValue().pid()));
      process.text("comm", entry.getValue().command());
      process.directory("fd").setRootOnly();
      process.directory("fd").link(HOLDER_FD, "/dev/vfio/" + nodeName(entry.getKey()));
    }
  }

  private String nodeName(int id) {
    for (var group : host.groups()) {
      if (group.id() == id) {
        return group.nodeName();
      }
    }
    return Integer.toString(id);
  }

  private String platformLine() {
    if (host.description().architecture() != Architecture.PPC64LE) {
      return "";
    }
    return "\nplatform\t: "
        + (host.description().platform() instanceof IommuPlatform.Ioda2 ? "PowerNV" : "pSeries");
  }

  /** {@code status} of the process itself. */
  private static final class Status extends FileNode.Content {
    private final Host host;

    Status(Host host) {
      this.host = host;
    }

    @Override
    byte[] content() {
      var options = host.options();
      int pid = options.pid();
      int uid = options.uid();
      var ids = "\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\n";
      var capabilities = Hex.digits(options.capabilities(), 16);
      return ascii(
          "Name:\tjava\nUmask:\t0022\nState:\tR (running)\nTgid:\t"
              + pid
              + "\nNgid:\t0\nPid:\t"
              + pid
              + "\nPPid:\t1\nTracerPid:\t0\nUid:"
              + ids
              + "Gid:"
              + ids
              + kilobytes("VmLck", host.locked().bytes())
              + kilobytes("VmPin", host.pinnedByIommufd)
              + "CapInh:\t0000000000000000\nCapPrm:\t"
              + capabilities
              + "\nCapEff:\t"
              + capabilities
              + "\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n");
    }

    private static String kilobytes(String name, long bytes) {
      var number = Long.toString(bytes >> 10);
      return name + ":\t" + " ".repeat(Math.max(0, 8 - number.length())) + number + " kB\n";
    }
  }

  /** The process's own descriptors. */
  private static final class Descriptors extends FileNode.Directory {
    private final FileTable files;

    Descriptors(FileTable files) {
      this.files = files;
    }

    @Override
    Collection<String> names() {
      return List.copyOf(files.descriptors().stream().map(fd -> Integer.toString(fd)).toList());
    }

    @Override
    @Nullable FileNode get(String name) {
      for (int fd : files.descriptors()) {
        var file = files.get(fd);
        if (file != null && Integer.toString(fd).equals(name)) {
          return new FileNode.Link(file.path());
        }
      }
      return null;
    }
  }

  private static final class Pagemap extends FileNode.Special {
    private final Host host;

    Pagemap(Host host) {
      this.host = host;
    }

    @Override
    OpenFile open(String path, boolean writes) {
      return new PagemapFile(host);
    }
  }
}

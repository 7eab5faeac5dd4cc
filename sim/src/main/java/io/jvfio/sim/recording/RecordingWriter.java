// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.recording;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostDescription.Function;
import io.jvfio.sim.setup.HostDescription.Group;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.IommuPlatform;
import io.jvfio.sim.setup.RecordedFacts;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Writes recordings as {@link RecordingReader} reads them; the same one always in the same text.
 */
public final class RecordingWriter {
  static final String FORMAT = "jvfio-host";
  static final int VERSION = 1;

  /** How many bytes of configuration space are in one line, in hexadecimal digits. */
  static final int CONFIG_LINE = 32;

  private final JsonGenerator to;

  private RecordingWriter(JsonGenerator to) {
    this.to = to;
  }

  /** The text of a recording. */
  public static String text(Recording recording) {
    var text = new StringWriter();
    var lines = new DefaultIndenter("  ", "\n");
    var printer = new DefaultPrettyPrinter().withObjectIndenter(lines).withArrayIndenter(lines);
    try (var to = new JsonFactory().createGenerator(text).setPrettyPrinter(printer)) {
      new RecordingWriter(to).document(recording);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a StringWriter throws none
    }
    return text.append('\n').toString();
  }

  private void document(Recording recording) throws IOException {
    var host = recording.description();
    var facts = Objects.requireNonNull(host.recorded(), "only recorded hosts are written");
    to.writeStartObject();
    to.writeStringField("format", FORMAT);
    to.writeNumberField("version", VERSION);
    to.writeStringField("name", host.name());
    to.writeStringField("description", host.description());
    texts("notSeen", recording.notSeen());
    to.writeObjectFieldStart("kernel");
    to.writeStringField("release", host.release());
    to.writeStringField("architecture", host.architecture().name().toLowerCase(Locale.ROOT));
    to.writeNumberField("pageSize", host.pageSize());
    to.writeEndObject();
    to.writeObjectFieldStart("machine");
    to.writeStringField("vendor", facts.machine().vendor());
    to.writeStringField("product", facts.machine().product());
    to.writeBooleanField("hypervisorFlag", facts.machine().hypervisorFlag());
    texts("compatible", facts.machine().compatible());
    to.writeEndObject();
    process(recording.settings());
    vfio(recording.settings(), host, facts);
    iommu(host.platform(), facts.iommus());
    to.writeArrayFieldStart("groups");
    for (var group : host.groups()) {
      group(group, recording.settings(), facts);
    }
    to.writeEndArray();
    to.writeArrayFieldStart("devices");
    for (var function : host.functions()) {
      device(function, Objects.requireNonNull(facts.devices().get(function.address())));
    }
    to.writeEndArray();
    to.writeEndObject();
  }

  private void process(HostSettings settings) throws IOException {
    to.writeObjectFieldStart("process");
    to.writeBooleanField("root", settings.uid == 0);
    hexadecimal("capabilities", settings.capabilities);
    if (settings.lockedMemoryLimit == Kernel.NO_LIMIT) {
      to.writeNullField("lockedMemoryLimit");
    } else {
      to.writeNumberField("lockedMemoryLimit", settings.lockedMemoryLimit);
    }
    to.writeEndObject();
  }

  private void vfio(HostSettings settings, HostDescription host, RecordedFacts facts)
      throws IOException {
    to.writeObjectFieldStart("vfio");
    to.writeBooleanField("loaded", settings.vfioLoaded);
    to.writeBooleanField("iommuDriverLoaded", settings.iommuDriverLoaded);
    to.writeBooleanField("nodesOpenToAll", settings.groupAccess);
    to.writeBooleanField("iommufd", host.iommufd() != null);
    to.writeStringField("enableUnsafeNoIommuMode", facts.noIommuMode());
    to.writeNumberField("dmaEntryLimit", settings.dmaEntryLimit);
    to.writeEndObject();
  }

  private void iommu(IommuPlatform platform, List<String> names) throws IOException {
    to.writeObjectFieldStart("iommu");
    texts("names", names);
    switch (platform) {
      case IommuPlatform.Paging paging -> {
        to.writeStringField("kind", "paging");
        hexadecimal("pageSizes", paging.pageSizes());
        hexadecimal("lastIova", paging.lastIova());
        to.writeStringField("nestingError", paging.nestingError().symbol());
      }
      case IommuPlatform.Ioda2 ioda2 -> {
        to.writeStringField("kind", "powernv");
        hexadecimal("windowSize", ioda2.windowSize());
        hexadecimal("pageSizes", ioda2.pageSizes());
        to.writeNumberField("levels", ioda2.maxLevels());
        hexadecimal("secondWindowStart", ioda2.secondWindowStart());
      }
      case IommuPlatform.Partition partition -> {
        to.writeStringField("kind", "pseries");
        hexadecimal("windowSize", partition.windowSize());
        to.writeBooleanField("dynamicWindows", partition.dynamicWindows());
        hexadecimal("pageSizes", partition.hypervisorPageSizes());
        hexadecimal("largestBlock", partition.largestBlock());
        hexadecimal("secondWindowStart", partition.secondWindowStart());
      }
      case IommuPlatform.None _ -> to.writeStringField("kind", "none");
    }
    to.writeEndObject();
  }

  private void group(Group group, HostSettings settings, RecordedFacts facts) throws IOException {
    to.writeStartObject();
    to.writeNumberField("id", group.id());
    to.writeStringField("name", group.name());
    to.writeArrayFieldStart("reserved");
    for (var range : group.reserved()) {
      to.writeStartObject();
      hexadecimal("start", range.start());
      hexadecimal("last", range.last());
      to.writeStringField("type", range.type());
      to.writeEndObject();
    }
    to.writeEndArray();
    to.writeBooleanField("heldElsewhere", settings.holders.containsKey(group.id()));
    to.writeArrayFieldStart("attempts");
    for (var answer : facts.answers()) {
      if (answer.group() == group.id()) {
        to.writeStartObject();
        to.writeStringField("type", answer.type().id());
        to.writeBooleanField("advertised", answer.advertised());
        to.writeStringField("reached", answer.reached());
        to.writeStringField("outcome", answer.outcome());
        to.writeStringField("call", answer.call());
        to.writeStringField("errno", answer.errno() == null ? null : answer.errno().symbol());
        to.writeEndObject();
      }
    }
    to.writeEndArray();
    to.writeEndObject();
  }

  private void device(Function function, RecordedFacts.Device seen) throws IOException {
    to.writeStartObject();
    to.writeStringField("address", function.address());
    texts("bridges", function.parents());
    if (function.group() < 0) {
      to.writeNullField("group");
    } else {
      to.writeNumberField("group", function.group());
    }
    to.writeStringField("driver", function.driver());
    to.writeStringField("model", function.serial() == null ? null : "nvme");
    to.writeStringField("iommu", seen.iommu());
    to.writeStringField("deviceTreeNode", function.node());
    to.writeNumberField("irq", function.irq());
    to.writeNumberField("numaNode", seen.numaNode());
    to.writeBooleanField("canReset", seen.canReset());
    to.writeArrayFieldStart("bars");
    for (var bar : function.bars()) {
      to.writeStartObject();
      to.writeNumberField("index", bar.bar());
      hexadecimal("hostAddress", bar.hostAddress());
      hexadecimal("busAddress", bar.busAddress());
      hexadecimal("size", bar.byteSize());
      hexadecimal("flags", bar.flags());
      to.writeEndObject();
    }
    to.writeEndArray();
    to.writeArrayFieldStart("config");
    int digits = 2 * CONFIG_LINE;
    int end = seen.config().length();
    var zeros = "0".repeat(digits);
    for (int i = 0; i < end; i += digits) {
      var line = seen.config().substring(i, i + digits);
      if (!line.equals(zeros)) {
        to.writeString("%03x: %s".formatted(i / 2, line));
      }
    }
    to.writeEndArray();
    to.writeNumberField("configSize", end / 2);
    to.writeEndObject();
  }

  private void hexadecimal(String name, long value) throws IOException {
    to.writeStringField(name, "0x" + Long.toHexString(value));
  }

  private void texts(String name, List<String> values) throws IOException {
    to.writeArrayFieldStart(name);
    for (@Nullable String value : values) {
      to.writeString(value);
    }
    to.writeEndArray();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.AddressVerdict;
import io.jvfio.DmaAccess;
import io.jvfio.DmaEstimate;
import io.jvfio.DmaLayout;
import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.LiveMapping;
import io.jvfio.ReservedRange;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

class IovaPictureTest {
  private static final List<DmaWindow> X86 =
      List.of(
          new DmaWindow(0, 0xfedf_ffffL, 4096), new DmaWindow(0xfef0_0000L, (1L << 48) - 1, 4096));
  private static final List<ReservedRange> X86_HOLES =
      List.of(new ReservedRange(0xfee0_0000L, 0xfeef_ffffL, "msi"));

  /** What users see. */
  static Stream<IovaReport> spaces() {
    return Stream.of(
        report(IommuType.TYPE1V2, X86, X86_HOLES, maps(0)),
        report(IommuType.TYPE1V2, X86, X86_HOLES, maps(3)),
        report(IommuType.TYPE1V2, X86, X86_HOLES, maps(200)),
        report(
            IommuType.TYPE1V2,
            List.of(
                new DmaWindow(0, 0x7ff_ffffL, 4096),
                new DmaWindow(0x810_0000L, (1L << 48) - 1, 4096)),
            List.of(
                new ReservedRange(0x800_0000L, 0x80f_ffffL, "msi"),
                new ReservedRange(0x1000_0000L, 0x1fff_ffffL, "direct-relaxable"),
                new ReservedRange(0xfd_0000_0000L, 0xff_ffff_ffffL, "direct")),
            maps(1)),
        report(
            IommuType.SPAPR_TCE, List.of(new DmaWindow(0, 0x3fff_ffffL, 4096)), List.of(), maps(0)),
        report(
            IommuType.SPAPR_TCE_V2,
            List.of(
                new DmaWindow(0, 0x3fff_ffffL, 4096),
                new DmaWindow(0x800_0000_0000_0000L, 0x800_0001_ffff_ffffL, 1 << 24)),
            List.of(),
            List.of(live(0x800_0000_0000_0000L, 3L << 30))),
        report(IommuType.NOIOMMU, List.of(new DmaWindow(0, -1, 4096)), List.of(), maps(3)),
        report(
            IommuType.IOMMUFD,
            LongStream.range(0, 40)
                .mapToObj(i -> new DmaWindow(i << 20, (i << 20) + 4095, 4096))
                .toList(),
            List.of(),
            maps(40)),
        report(IommuType.TYPE1, List.of(), List.of(), List.of()));
  }

  @ParameterizedTest
  @MethodSource("spaces")
  void writesNoTextOverAnother(IovaReport report) {
    var document = parse(IovaPicture.of(report));
    var boxes = boxes(document);
    assertThat(boxes).hasSizeGreaterThan(5);
    for (int i = 0; i < boxes.size(); i++) {
      for (int j = 0; j < i; j++) {
        assertThat(boxes.get(i).overlaps(boxes.get(j)))
            .as("%s over %s", boxes.get(i), boxes.get(j))
            .isFalse();
      }
    }
    var view = document.getDocumentElement().getAttribute("viewBox").split(" ", -1);
    double width = Double.parseDouble(view[2]);
    double height = Double.parseDouble(view[3]);
    assertThat(boxes)
        .allSatisfy(
            box -> {
              assertThat(box.left).isNotNegative();
              assertThat(box.top).isNotNegative();
              assertThat(box.right).isLessThanOrEqualTo(width);
              assertThat(box.bottom).isLessThanOrEqualTo(height);
            });
  }

  @Test
  void labelsEveryBoundaryExactly() {
    var texts = boxes(parse(IovaPicture.of(report(IommuType.TYPE1V2, X86, X86_HOLES, maps(0)))));
    assertThat(texts)
        .extracting(Box::text)
        .contains(
            "DMA space of 0000:00:01.0",
            "host a host, IOMMU type1v2",
            "0x0",
            "0xfee00000",
            "0xfef00000",
            "0x1000000000000",
            "0xffffffffffffffff",
            "Reserved (msi): 1 MiB",
            "0xfee00000..0xfeefffff",
            "message-signalled interrupts",
            "Valid range 2",
            "256 TiB in pages of 4 KiB");
  }

  @Test
  void showsSmallAndLargeRangesAlike() {
    var document =
        parse(
            IovaPicture.of(
                report(
                    IommuType.TYPE1V2,
                    List.of(new DmaWindow(0x1000, (1L << 57) - 1, 4096)),
                    List.of(new ReservedRange(0, 0xfff, "reserved")),
                    List.of())));
    var heights =
        elements(document, "rect").stream()
            .filter(rect -> rect.getAttribute("class").equals("edge"))
            .filter(rect -> rect.getAttribute("x").equals("200"))
            .map(rect -> Double.parseDouble(rect.getAttribute("height")))
            .toList();
    assertThat(heights).hasSize(3).allMatch(height -> height > 40 && height < 160);
    assertThat(heights.get(0)).isLessThan(heights.get(1));
  }

  @Test
  void drawsEachOfManyLiveMapsThatLieApart() {
    var maps = IntStream.range(0, 20).mapToObj(i -> live((long) i << 24, 4096)).toList();
    var document = parse(IovaPicture.of(report(IommuType.TYPE1V2, X86, X86_HOLES, maps)));
    assertThat(
            elements(document, "rect").stream()
                .filter(rect -> rect.getAttribute("class").equals("mapped"))
                .filter(rect -> rect.getAttribute("x").equals("208")))
        .hasSize(20);
  }

  @Test
  void numbersEachAnswerInTheColumnAndBelow() {
    var document = parse(IovaPicture.of(report(IommuType.TYPE1V2, X86, X86_HOLES, maps(3))));
    assertThat(elements(document, "text"))
        .extracting(Element::getTextContent)
        .contains("0xfee00000+4 KiB: refused", "64MiB: fits at 0x400000", "9TiB: does not fit")
        .filteredOn(text -> text.equals("1"))
        .as("the refused address, in the hole and below")
        .hasSize(2);
  }

  @Test
  void escapesWhatMeansSomethingInXml() {
    var name = "<a> & \"b\" \u0001\ud800 \ud83d\ude00";
    var layout =
        new DmaLayout(
            IommuType.TYPE1,
            X86,
            List.of(),
            List.of(),
            OptionalLong.empty(),
            0,
            OptionalLong.empty());
    var document =
        parse(
            IovaPicture.of(
                new IovaReport(
                    name, name, layout, Optional.empty(), Map.of(), Optional.empty(), List.of())));
    assertThat(elements(document, "text").getFirst().getTextContent())
        .isEqualTo("DMA space of <a> & \"b\" \ufffd\ufffd \ud83d\ude00");
  }

  private static IovaReport report(
      IommuType type,
      List<DmaWindow> windows,
      List<ReservedRange> reserved,
      List<LiveMapping> maps) {
    var layout =
        new DmaLayout(
            type,
            windows,
            reserved,
            maps,
            OptionalLong.of(65_535 - maps.size()),
            maps.stream().mapToLong(LiveMapping::byteSize).sum(),
            OptionalLong.of(8 << 20));
    return new IovaReport(
        "a host",
        "0000:00:01.0",
        layout,
        type == IommuType.SPAPR_TCE_V2
            ? Optional.of(
                new IovaReport.Windowing(2, List.of(4096L, 65536L, 2L << 20, 16L << 20), 5))
            : Optional.empty(),
        Map.of(),
        Optional.of(
            new AddressVerdict(
                0xfee0_0000L,
                4096,
                false,
                "A reason that is as long as reasons are. ".repeat(5),
                OptionalLong.of(0xfef0_0000L))),
        List.of(
            fit("64MiB", OptionalLong.of(0x40_0000L), List.of()),
            fit("64K@0", OptionalLong.of(0), List.of()),
            fit("9TiB", OptionalLong.empty(), List.of("Change this.", "Change that too."))));
  }

  private static IovaReport.Fit fit(String asked, OptionalLong iova, List<String> changes) {
    return new IovaReport.Fit(
        new PlacedSize.Converter().convert(asked),
        new DmaEstimate(
            changes.isEmpty(),
            iova,
            64 << 20,
            OptionalLong.empty(),
            1,
            OptionalLong.of(7),
            changes));
  }

  /** Maps of 4 KiB, the first ones without a gap. */
  private static List<LiveMapping> maps(int count) {
    return LongStream.range(0, count)
        .mapToObj(i -> live(i < 100 ? i << 12 : i << 20, 4096))
        .toList();
  }

  private static LiveMapping live(long iova, long byteSize) {
    return new LiveMapping(
        iova,
        byteSize,
        DmaAccess.READ_WRITE,
        true,
        "com.example.driver/com.example.driver.queues.SubmissionQueueAllocator.allocate(SubmissionQueueAllocator.java:4711)");
  }

  private static Document parse(String svg) {
    try {
      return DocumentBuilderFactory.newInstance()
          .newDocumentBuilder()
          .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
    } catch (Exception e) {
      throw new AssertionError("not well-formed: " + svg, e);
    }
  }

  private static List<Element> elements(Document document, String name) {
    var nodes = document.getElementsByTagName(name);
    var elements = new ArrayList<Element>();
    for (int i = 0; i < nodes.getLength(); i++) {
      elements.add((Element) nodes.item(i));
    }
    return elements;
  }

  /** Where a text is, with a font as wide as DejaVu Sans. */
  private record Box(String text, double left, double top, double right, double bottom) {
    private static final double CHARACTER = 0.61;
    private static final double STRONG_CHARACTER = 0.68;

    static Box of(Element text) {
      double size = number(text, "font-size");
      boolean strong = Arrays.asList(text.getAttribute("class").split(" ", -1)).contains("strong");
      double width =
          text.getTextContent().length() * size * (strong ? STRONG_CHARACTER : CHARACTER);
      double left =
          switch (text.getAttribute("text-anchor")) {
            case "end" -> number(text, "x") - width;
            case "middle" -> number(text, "x") - width / 2;
            default -> number(text, "x");
          };
      double base = number(text, "y");
      return new Box(
          text.getTextContent(), left, base - 0.78 * size, left + width, base + 0.24 * size);
    }

    private static double number(Element element, String attribute) {
      return Double.parseDouble(element.getAttribute(attribute));
    }

    boolean overlaps(Box other) {
      return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    }
  }

  private static List<Box> boxes(Document document) {
    return elements(document, "text").stream().map(Box::of).toList();
  }
}
